/** Transactions that begin with a look: what each finds, and what its second step does about it. */

import { type OutsideEvent } from '../../machine/event.ts'
import { type ExecutionRow } from '../../machine/execution.ts'
import { isFinishedStatus } from '../../machine/status.ts'
import { historyOf, recordStart } from '../../machine/history.ts'
import { mayHaveOpenBelow, parentEndedMessage } from '../../machine/parent.ts'
import { type Committed, transact } from './engine.ts'
import { type Actor, type Step } from './steps.ts'
import { type Found, hasLapsed, HOLDS_UNTIL, NOW, withExecutor } from './world.ts'

/** The first steps an executor can take: each finds one candidate. */
export function findsOf(actor: Actor): Array<Step> {
  const candidates: Array<Found> = []
  for (const row of actor.world.rows.values()) {
    const found = findAt(actor, row)
    if (found !== undefined) {
      candidates.push(found)
    }
  }
  const closable = candidates.filter((found) => found.kind === 'close').map((found) => found.executionId)
  const [first] = closable
  if (first !== undefined && closable.length > 1 && actor.carrier.scenario.isSweepingTogether === true) {
    candidates.push({ kind: 'close', executionId: first, ids: closable })
  }
  return candidates.map((found) => stepTo(actor, found))
}

function findAt(actor: Actor, row: ExecutionRow): Found | undefined {
  const { executionId } = row
  const { engine, knownTaskIds } = actor.carrier
  if (row.status === 'ready') {
    const isKnown = knownTaskIds.includes(row.taskId)
    if (!isKnown) {
      return engine.isRejectingUnknown ? { kind: 'reject', executionId } : undefined
    }
    return row.startAt.getTime() <= NOW ? { kind: 'claim', executionId } : undefined
  }
  if (row.status === 'running') {
    return engine.isRecovering && hasLapsed(row) ? { kind: 'recover', executionId } : undefined
  }
  if (!isFinishedStatus(row.status) || row.isClosed) {
    return undefined
  }
  return mayHaveOpenBelow(row) ? findBelow(actor, row) : findClosable(actor, row)
}

/** Below a row that ended badly: what is active is cancelled, and when all is closed, so is the row. */
function findBelow(actor: Actor, row: ExecutionRow): Found | undefined {
  const { engine } = actor.carrier
  const below = [...actor.world.rows.values()].filter((other) => engine.isBelow(other, row.executionId))
  const belowIds = below.filter((other) => !isFinishedStatus(other.status)).map((other) => other.executionId)
  if (belowIds.length > 0 && engine.isClosingAfterBelow) {
    return { kind: 'cascade', executionId: row.executionId, ids: belowIds }
  }
  const isReadyToClose = below.every((other) => other.isClosed) || !engine.isClosingAfterBelow
  return isReadyToClose && isParentTellable(actor, row)
    ? { kind: 'close_top', executionId: row.executionId }
    : undefined
}

function findClosable(actor: Actor, row: ExecutionRow): Found | undefined {
  return isParentTellable(actor, row) ? { kind: 'close', executionId: row.executionId } : undefined
}

/** Rows whose parent would have to be moved by somebody who knows its task are looked past. */
function isParentTellable({ world, carrier }: Actor, row: ExecutionRow): boolean {
  const parent = row.parentTask === undefined ? undefined : world.rows.get(row.parentTask.executionId)
  return (
    parent === undefined || isFinishedStatus(parent.status) || carrier.knownTaskIds.includes(parent.taskId)
  )
}

function stepTo({ world, index, executor, carrier }: Actor, found: Found): Step {
  const { engine } = carrier
  const kept = engine.remembers.has(found.kind) ? { ...found, rows: world.rows } : found
  let next = withExecutor(world, index, { found: kept })
  if (found.kind === 'claim' && !engine.isStartingAfterCommit) {
    const { executionId } = found
    const lease = { startedAt: new Date(NOW), leaseId: leaseIdFor(world, executionId) }
    next = { ...next, history: recordStart(next.history, executionId, lease) }
  }
  const describe = (): string =>
    `${executor.name}: look for something to ${found.kind}, find ${found.executionId}`
  return { next, accepted: [], isMisfortune: false, describe }
}

/** The second step: everything is read again under lock. */
export function secondStep({ world, executor, carrier }: Actor, found: Found): Committed {
  const { executionId } = found
  const row = world.rows.get(executionId)
  const ids = found.ids ?? [executionId]
  const commit = (lockedIds: ReadonlyArray<string>, events: ReadonlyArray<OutsideEvent>): Committed =>
    transact(carrier, world.rows, lockedIds, events, found)
  switch (found.kind) {
    case 'claim': {
      const leaseId = leaseIdFor(world, executionId)
      const executorId = executor.name
      return commit(
        [executionId],
        [{ kind: 'claimed', executionId, leaseId, executorId, expiresAt: HOLDS_UNTIL }],
      )
    }
    case 'recover': {
      // One that does not know the task puts it back, and leaves giving up to those who do.
      const isKnown = row !== undefined && carrier.knownTaskIds.includes(row.taskId)
      const maxLosses = isKnown ? carrier.scenario.maxLosses : Infinity
      return commit([executionId], [{ kind: 'lost', executionId, maxLosses }])
    }
    case 'close':
    case 'close_top':
      return commit(
        [...new Set([...ids, ...parentIdsOf(world, ids)])],
        ids.map((id) => ({ kind: 'closed', executionId: id, isBelowClosed: true })),
      )
    case 'cascade':
      return commit(ids, cascadeEvents(row, ids))
    case 'reject':
      return rejected(world.rows, row)
  }
}

function parentIdsOf(world: Actor['world'], ids: ReadonlyArray<string>): Array<string> {
  return ids.flatMap((id) => world.rows.get(id)?.parentTask?.executionId ?? [])
}

/** The parent's end is final, so that it is read without being locked. */
function cascadeEvents(
  parent: ExecutionRow | undefined,
  belowIds: ReadonlyArray<string>,
): Array<OutsideEvent> {
  if (parent === undefined) {
    return []
  }
  const message = parentEndedMessage(parent)
  const parentError = { errorType: 'cancelled', message, isRetryable: false } as const
  return belowIds.map((executionId) => ({ kind: 'parent_ended', executionId, parentError }))
}

/** What an engine would write that ends what it does not know. */
function rejected(rows: ReadonlyMap<string, ExecutionRow>, row: ExecutionRow | undefined): Committed {
  if (row === undefined || row.status !== 'ready') {
    return { rows, accepted: [] }
  }
  const error = { errorType: 'generic', message: 'Task not found', isRetryable: false } as const
  const failed: ExecutionRow = { ...row, status: 'failed', error, finishedAt: new Date(NOW) }
  return { rows: new Map(rows).set(row.executionId, failed), accepted: [] }
}

function leaseIdFor(world: Actor['world'], executionId: string): string {
  return `${executionId}#${historyOf(world.history, executionId).claims.length}`
}
