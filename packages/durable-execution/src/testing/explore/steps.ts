/** All that can happen next in a world. */

import { type ExecutionEvent, type OutsideEvent } from '../../machine/event.ts'
import { isDeadlineOver } from '../../machine/deadline.ts'
import { type ExecutionRow } from '../../machine/execution.ts'
import { ACTIVE_STATUSES } from '../../machine/status.ts'
import { recordStart } from '../../machine/history.ts'
import { afterCommit, type Carrier, type Committed, type Engine, transact } from './engine.ts'
import { toldIds } from './durable-code.ts'
import { findsOf, secondStep } from './finds.ts'
import { type Scenario } from './scenario.ts'
import { afterSettle, commitSettle, settlesOf } from './settles.ts'
import { addSignals } from './signals.ts'
import {
  type ExecutorState,
  hasLapsed,
  HOLDS_UNTIL,
  isFarOff,
  LAPSED_AT,
  NOW,
  type Run,
  spend,
  withExecutor,
  type World,
} from './world.ts'

/** One thing that happens. */
export type Step = {
  next: World
  /** The events that the rules accepted. */
  accepted: ReadonlyArray<ExecutionEvent>
  /** Whether it is a misfortune: nobody may need it in order to get to the end. */
  isMisfortune: boolean
  describe: () => string
}

/** One executor in its world. */
export type Actor = { world: World; index: number; executor: ExecutorState; carrier: Carrier }

const NOTHING: ReadonlyArray<ExecutionEvent> = []

/** All steps from the world, always in the same order. */
export function stepsFrom(world: World, scenario: Scenario, engine: Engine): Array<Step> {
  const steps: Array<Step> = []
  for (const [index, executor] of world.executors.entries()) {
    const knownTaskIds = scenario.executors[index] ?? []
    const actor: Actor = { world, index, executor, carrier: { scenario, engine, knownTaskIds } }
    addFinds(actor, steps)
    addSettles(actor, steps)
    addRenewals(actor, steps)
    addReleases(actor, steps)
    addCrashes(actor, steps)
  }
  const outside: Carrier = { scenario, engine, knownTaskIds: [] }
  addCancels(world, outside, steps)
  addSignals(world, outside, steps)
  addPassingTime(world, steps)
  addDeadline(world, steps)
  return steps
}

/** The run that an accepted claim entitles to. */
function runOf(committed: Committed): Run | undefined {
  const claim = committed.accepted.find((event) => event.kind === 'claimed')
  const claimed = claim === undefined ? undefined : committed.rows.get(claim.executionId)
  if (claim === undefined || claimed?.startedAt === undefined) {
    return undefined
  }
  const lease = { startedAt: claimed.startedAt, leaseId: claim.leaseId }
  const knows = toldIds(committed.rows, claim.executionId)
  return { executionId: claim.executionId, lease, claimed, knows }
}

function addFinds(actor: Actor, steps: Array<Step>): void {
  const { world, index, executor, carrier } = actor
  const found = executor.found
  if (found === null) {
    const open = world.executors.filter((other) => other.found !== null).length
    if (open < carrier.scenario.maxOpenFinds) {
      steps.push(...findsOf(actor))
    }
    return
  }
  const what = `${found.kind} ${found.executionId}`
  const committed = secondStep(actor, found)
  const run = carrier.engine.isStartingAfterCommit ? runOf(committed) : undefined
  let next = withExecutor(afterCommit(world, committed), index, {
    found: null,
    runs: run === undefined ? executor.runs : [...executor.runs, run],
  })
  if (run !== undefined) {
    next = { ...next, history: recordStart(next.history, run.executionId, run.lease) }
  }
  const { accepted } = committed
  const describe = (): string =>
    `${executor.name}: ${what}, ${accepted.length > 0 ? 'committed' : 'and leaves it alone'}`
  steps.push({ next, accepted, isMisfortune: false, describe })
  if (world.left.rollbacks > 0 && found.kind === 'claim') {
    steps.push({
      next: spend(withExecutor(world, index, { found: null }), 'rollbacks'),
      accepted: NOTHING,
      isMisfortune: true,
      describe: () => `${executor.name}: ${what}, rolled back`,
    })
  }
}

function addSettles(actor: Actor, steps: Array<Step>): void {
  const { world, index, executor, carrier } = actor
  for (const settle of settlesOf(actor)) {
    const committed = commitSettle(carrier, world.rows, settle)
    const { accepted } = committed
    const after = afterCommit(world, committed)
    const runs = executor.runs.flatMap((run) => afterSettle(run, settle, committed) ?? [])
    const describe = (): string =>
      `${executor.name}: settle ${settle.what}, ${accepted.length > 0 ? 'committed' : 'refused'}`
    steps.push({ next: withExecutor(after, index, { runs }), accepted, isMisfortune: false, describe })
    const [run] = settle.runs
    const [sent] = settle.events
    if (world.left.lostReplies > 0 && accepted.length === 1 && run !== undefined && sent !== undefined) {
      const others = executor.runs.filter((other) => other !== run)
      const next = withExecutor(after, index, { runs: [...others, { ...run, sent }] })
      steps.push({
        next: spend(next, 'lostReplies'),
        accepted,
        isMisfortune: true,
        describe: () => `${describe()}, and the reply is lost`,
      })
    }
  }
}

function addRenewals({ world, executor, carrier }: Actor, steps: Array<Step>): void {
  for (const { executionId, lease } of executor.runs) {
    const row = world.rows.get(executionId)
    const isWorthTrying = row?.status === 'running' && (hasLapsed(row) || !isUnder(row, lease))
    if (isWorthTrying) {
      const event: OutsideEvent = { kind: 'renewed', executionId, lease, expiresAt: HOLDS_UNTIL }
      const committed = transact(carrier, world.rows, [executionId], [event])
      if (committed.accepted.length > 0) {
        steps.push({
          next: afterCommit(world, committed),
          accepted: committed.accepted,
          isMisfortune: false,
          describe: () => `${executor.name}: renew ${executionId}`,
        })
      }
    }
  }
}

function addReleases({ world, index, executor, carrier }: Actor, steps: Array<Step>): void {
  if (world.left.releases === 0) {
    return
  }
  for (const run of executor.runs) {
    const { executionId, lease } = run
    const event: OutsideEvent = { kind: 'released', executionId, lease }
    const committed = transact(carrier, world.rows, [executionId], [event])
    if (run.sent === undefined && committed.accepted.length > 0) {
      const runs = executor.runs.filter((other) => other !== run)
      const next = withExecutor(afterCommit(world, committed), index, { runs })
      steps.push({
        next: spend(next, 'releases'),
        accepted: committed.accepted,
        isMisfortune: true,
        describe: () => `${executor.name}: release ${executionId}`,
      })
    }
  }
}

function addCrashes(actor: Actor, steps: Array<Step>): void {
  const { world, index, executor } = actor
  const { found, runs, name } = executor
  if (world.left.crashes === 0 || (found === null && runs.length === 0)) {
    return
  }
  const forgotten = { found: null, runs: [] }
  steps.push({
    next: spend(withExecutor(world, index, forgotten), 'crashes'),
    accepted: NOTHING,
    isMisfortune: true,
    describe: () => `${name}: crash`,
  })
  const committed = found === null ? undefined : secondStep(actor, found)
  if (committed !== undefined && committed.accepted.length > 0) {
    steps.push({
      next: spend(withExecutor(afterCommit(world, committed), index, forgotten), 'crashes'),
      accepted: committed.accepted,
      isMisfortune: true,
      describe: () => `${name}: crash, and the ${found?.kind} of ${found?.executionId} was committed`,
    })
  }
}

function addCancels(world: World, carrier: Carrier, steps: Array<Step>): void {
  if (world.left.cancels === 0) {
    return
  }
  for (const { executionId, status } of world.rows.values()) {
    if (ACTIVE_STATUSES.includes(status)) {
      const committed = transact(carrier, world.rows, [executionId], [{ kind: 'cancelled', executionId }])
      steps.push({
        next: spend(afterCommit(world, committed), 'cancels'),
        accepted: committed.accepted,
        isMisfortune: true,
        describe: () => `a user cancels ${executionId}`,
      })
    }
  }
}

/** Time passes for one row: it becomes due, or its lease lapses. */
function addPassingTime(world: World, steps: Array<Step>): void {
  for (const row of world.rows.values()) {
    const { executionId } = row
    const pass = (change: Partial<ExecutionRow>): World => ({
      ...world,
      rows: new Map(world.rows).set(executionId, { ...row, ...change }),
    })
    if (row.status === 'ready' && row.startAt.getTime() > NOW && !isFarOff(row)) {
      const next = pass({ startAt: new Date(NOW) })
      const describe = (): string => `time passes: ${executionId} is due`
      steps.push({ next, accepted: NOTHING, isMisfortune: false, describe })
    }
    if (row.status === 'running' && !hasLapsed(row)) {
      const isAlive = world.executors.some((executor) =>
        executor.runs.some((run) => run.executionId === executionId && isUnder(row, run.lease)),
      )
      if (!isAlive || world.left.stalls > 0) {
        const next = pass({ expiresAt: LAPSED_AT })
        steps.push({
          next: isAlive ? spend(next, 'stalls') : next,
          accepted: NOTHING,
          isMisfortune: isAlive,
          describe: () =>
            `time passes: the lease of ${executionId} lapses${isAlive ? ', its executor stalls' : ''}`,
        })
      }
    }
  }
}

/** The deadline of a whole tree passes, and what was to begin later is due with it. Nothing needs that to come to its end. */
function addDeadline(world: World, steps: Array<Step>): void {
  const ahead = [...world.rows.values()].filter(
    (row) => row.deadlineAt !== undefined && !isDeadlineOver(row, NOW),
  )
  if (ahead.length === 0) {
    return
  }
  const rows = new Map(world.rows)
  for (const row of ahead) {
    const startAt = row.startAt.getTime() > NOW ? new Date(NOW) : row.startAt
    rows.set(row.executionId, { ...row, deadlineAt: new Date(NOW), startAt })
  }
  const describe = (): string => 'time passes: the deadline is over'
  steps.push({ next: { ...world, rows }, accepted: NOTHING, isMisfortune: true, describe })
}

function isUnder(row: ExecutionRow, lease: Run['lease']): boolean {
  return row.startedAt?.getTime() === lease.startedAt.getTime()
}
