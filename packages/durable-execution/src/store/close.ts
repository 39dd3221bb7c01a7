/** Writing the consequences of an end: what is below is cancelled, the parent is told, the row is marked closed. */

import { LIMITS } from '../base/limits.ts'
import { type LeanRow } from '../machine/execution.ts'
import { FINISHED_STATUSES, isFinishedStatus } from '../machine/status.ts'
import { endedBadly, mayBeUndone, mayHaveOpenBelow, parentEndedMessage } from '../machine/parent.ts'
import { compensationId, compensationMarkId, idPrefix } from '../machine/records.ts'
import { type NewChild, type Refusal } from '../machine/event.ts'
import { COMPENSATION_RETRIES } from '../machine/retry.ts'
import { type DurableStorageTx } from '../storage/contract.ts'
import { cancelActive } from './cancel.ts'
import { decideInTransaction, type StoreDoors } from './decision.ts'
import { type Effects, effectsOf, type OpenExecution } from './effects.ts'
import { lockRows, readFields, readRows } from './rows.ts'
import { type Transact } from './transact.ts'

export type Closing = { results: Array<'accepted' | Refusal>; effects: Effects }

/**
 * Closes finished rows and tells their parents, in one transaction. A row with something open below it
 * is refused, unless its id is among `belowClosedIds`.
 */
export async function closeFinished(
  transact: Transact,
  open: ReadonlyArray<OpenExecution>,
  belowClosedIds: ReadonlySet<string>,
  doors: StoreDoors,
): Promise<Closing> {
  return await transact(async (tx) => {
    const now = doors.now()
    const parentIds = open.flatMap(({ parentTask }) =>
      parentTask === undefined ? [] : [parentTask.executionId],
    )
    const rows = await lockRows(
      tx,
      [...open.map(({ executionId }) => executionId), ...parentIds],
      new Date(now),
    )
    const compensations = await findCompensations(tx, rows, belowClosedIds)
    const events = open.map(({ executionId }) => {
      const row = rows.get(executionId)
      const isBelowClosed = row !== undefined && (!mayHaveOpenBelow(row) || belowClosedIds.has(executionId))
      const closed = { kind: 'closed' as const, executionId, isBelowClosed }
      const compensation = compensations.get(executionId)
      return compensation === undefined ? closed : { ...closed, compensation }
    })
    const missingParentIds = new Set(parentIds.filter((id) => !rows.has(id)))
    const decision = await decideInTransaction(tx, { rows, missingParentIds }, events, doors, now)
    return { results: decision.results, effects: effectsOf(decision) }
  })
}

/** The executions that are to undo what those did that ended badly, and said that there is something to undo. */
async function findCompensations(
  tx: DurableStorageTx,
  rows: ReadonlyMap<string, LeanRow>,
  executionIds: ReadonlySet<string>,
): Promise<ReadonlyMap<string, NewChild>> {
  const found = new Map<string, NewChild>()
  const marks = new Map<string, string>()
  for (const executionId of executionIds) {
    const row = rows.get(executionId)
    if (row !== undefined && !row.isClosed && endedBadly(row) && mayBeUndone(row)) {
      marks.set(executionId, compensationMarkId(idPrefix(executionId)))
    }
  }
  if (marks.size === 0) {
    return found
  }
  const marked = await readFields(tx, [...marks.values()], ['status'])
  const bad = [...marks].filter(([, mark]) => marked.has(mark)).map(([executionId]) => executionId)
  for (const row of (await readFields(tx, bad, ['taskId', 'timeoutMs', 'runInput'])).values()) {
    const { taskId, timeoutMs, runInput } = row
    if (taskId !== undefined && timeoutMs !== undefined && runInput !== undefined) {
      const executionId = compensationId(idPrefix(row.executionId))
      const retryOptions = COMPENSATION_RETRIES
      found.set(row.executionId, {
        taskId,
        executionId,
        retryOptions,
        sleepMsBeforeRun: 0,
        timeoutMs,
        runInput,
      })
    }
  }
  return found
}

/** What is still open below a parent that ended badly. */
export type Below = {
  /** Still active children, or the finalize execution: to be cancelled. */
  activeIds: Array<string>
  /** Finished and not closed. */
  open: Array<OpenExecution>
  /** What the active ones are told. */
  message: string
}

// What a child is told is made of these; the parent's list of children may be long, and is left where it is.
const PARENT_END_FIELDS = [
  'status',
  'parentTask',
  'taskId',
  'executionId',
  'error',
  'childrenTasksErrors',
  'finalizeTask',
  'finalizeTaskError',
] as const

/** Looks below a finished row, at most `limit` rows at a time; both lists are empty when nothing is open. */
export async function findBelow(transact: Transact, executionId: string): Promise<Below> {
  return await transact(async (tx) => {
    if (tx.getTaskExecutionIdsBelow) {
      const found = await readFields(tx, [executionId], PARENT_END_FIELDS)
      const all = await tx.getTaskExecutionIdsBelow(executionId, LIMITS.idsPerCall)
      // What undoes is there if somebody else has closed the row meanwhile, and is to go on.
      const ids = all.filter((id) => id !== compensationId(idPrefix(executionId)))
      const parent = found.get(executionId)
      const message = parent === undefined ? '' : parentEndedMessage(parent as LeanRow)
      return { ...(await sortBelow(tx, ids)), message }
    }
    const [parent] = await readRows(tx, [executionId])
    if (parent === undefined) {
      return { activeIds: [], open: [], message: '' }
    }
    const message = parentEndedMessage(parent)
    const ids = (parent.childrenTasks ?? []).map((child) => child.executionId)
    if (parent.finalizeTask !== undefined) {
      ids.push(parent.finalizeTask.executionId)
    }
    for (let start = 0; start < ids.length; start += LIMITS.idsPerCall) {
      const below = await sortBelow(tx, ids.slice(start, start + LIMITS.idsPerCall))
      if (below.activeIds.length > 0 || below.open.length > 0) {
        return { ...below, message }
      }
    }
    return { activeIds: [], open: [], message }
  })
}

async function sortBelow(
  tx: DurableStorageTx,
  executionIds: Array<string>,
): Promise<Pick<Below, 'activeIds' | 'open'>> {
  const below: Pick<Below, 'activeIds' | 'open'> = { activeIds: [], open: [] }
  const rows = await readFields(tx, executionIds, ['status', 'isClosed', 'parentTask'])
  for (const { executionId, status, isClosed, parentTask } of rows.values()) {
    if (status !== undefined && !isFinishedStatus(status)) {
      below.activeIds.push(executionId)
    } else if (isClosed !== true) {
      below.open.push({ executionId, parentTask })
    }
  }
  return below
}

/** Cancels active rows below a parent that ended badly. Only they are locked: the parent's end is final. */
export async function cancelBelow(transact: Transact, below: Below, doors: StoreDoors): Promise<Effects> {
  const parentError = { errorType: 'cancelled' as const, message: below.message, isRetryable: false }
  return (await cancelActive(transact, below.activeIds, doors, parentError)).effects
}

/** A row that the sweep found finished and not closed. */
export type FoundOpen = OpenExecution & { taskId: string; updatedAt: Date }

const STILL_OPEN = {
  type: 'by_statuses' as const,
  statuses: [...FINISHED_STATUSES],
  isClosed: false,
}

/**
 * Finished rows that nobody has closed, as far as they can be closed here. Those in `triedIds` were tried
 * before in vain: they come again, and the look goes past them.
 */
export async function findOpen(
  transact: Transact,
  knows: (taskId: string) => boolean,
  triedIds: ReadonlySet<string>,
): Promise<{ open: Array<FoundOpen>; unknown: Array<FoundOpen> }> {
  const some = await transact(async (tx) => await tx.getTaskExecutionIds(STILL_OPEN, 1), { oneCall: true })
  if (some.length === 0) {
    // Nearly always so: whoever finishes a row most often closes it in the same transaction.
    return { open: [], unknown: [] }
  }
  return await transact(async (tx) => {
    for (let limit: number = LIMITS.sweepRows; ; limit *= 2) {
      const found = await tx.getTaskExecutions(STILL_OPEN, limit)
      const doubtful = found.filter((row) => row.parentTask !== undefined && !knows(row.parentTask.taskId))
      const finishedParents = await finishedAmong(tx, doubtful)
      const isOurs = (row: LeanRow): boolean =>
        row.parentTask === undefined ||
        knows(row.parentTask.taskId) ||
        finishedParents.has(row.parentTask.executionId)
      const open = found.filter(isOurs).map(toFoundOpen)
      // Rows of tasks that others know, or that cannot be closed, must not hide the rest: look past them.
      if (found.length < limit || open.some((row) => !triedIds.has(row.executionId))) {
        return { open, unknown: doubtful.filter((row) => !isOurs(row)).map(toFoundOpen) }
      }
    }
  })
}

async function finishedAmong(tx: DurableStorageTx, rows: ReadonlyArray<LeanRow>): Promise<Set<string>> {
  const parentIds = new Set(rows.flatMap((row) => row.parentTask?.executionId ?? []))
  const parents = await readFields(tx, [...parentIds], ['status'])
  const finished = [...parentIds].filter((id) => {
    const status = parents.get(id)?.status
    return status === undefined || isFinishedStatus(status)
  })
  return new Set(finished)
}

function toFoundOpen({ executionId, taskId, parentTask, updatedAt }: LeanRow): FoundOpen {
  return { executionId, taskId, parentTask, updatedAt }
}
