/**
 * What happened, read off what a transaction changed: an observer of the rows does not hear the events themselves, and would
 * not believe them.
 */

import { type DurableWrites, type ExecutionEvent, type Lease } from '../../machine/event.ts'
import { type ExecutionRow } from '../../machine/execution.ts'
import { isFinishedStatus } from '../../machine/status.ts'
import { isRecord, type NewRecord, type RecordKind } from '../../machine/records.ts'
import { type Commit } from './server.ts'

/** Who holds a row, as far as commits told. */
export type HolderOf = (executionId: string) => string | undefined

/** The lease of a row as it stands there. */
export function leaseOf(row: ExecutionRow): Lease {
  return { startedAt: row.startedAt ?? new Date(NaN), leaseId: row.leaseId ?? '' }
}

/** The events of a commit. An outcome that somebody wrote who did not hold the row has a lease that nobody had. */
export function eventsOf(
  { by, before, after, changedIds }: Commit,
  holderOf: HolderOf,
): Array<ExecutionEvent> {
  const written = changedIds.flatMap((executionId) => {
    const row = after.get(executionId)
    return row !== undefined && isRecord(row) && !before.has(executionId) ? [row] : []
  })
  return changedIds.flatMap((executionId) => {
    const [old, row] = [before.get(executionId), after.get(executionId)]
    if (row === undefined || isRecord(row)) {
      return []
    }
    const isHeldByWriter = holderOf(executionId) === by
    const records = written.filter((record) => record.parentTask?.executionId === executionId)
    const event = eventOf(old, row, isHeldByWriter)
    return [...recordEvents(old, records, isHeldByWriter), ...(event === undefined ? [] : [event])]
  })
}

const OF_SIGNALS: ReadonlyArray<RecordKind> = ['#signal', '#key']

/** What was written below an execution, by its run and by those who sent it signals. */
function recordEvents(
  old: ExecutionRow | undefined,
  rows: ReadonlyArray<ExecutionRow>,
  isHeldByWriter: boolean,
): Array<ExecutionEvent> {
  const events: Array<ExecutionEvent> = []
  const all = rows.map((row): NewRecord => ({
    executionId: row.executionId,
    kind: row.runInput as RecordKind,
  }))
  const signals = all.filter(({ kind }) => OF_SIGNALS.includes(kind))
  const records = all.filter(({ kind }) => !OF_SIGNALS.includes(kind))
  if (old !== undefined && records.length > 0) {
    const lease = leaseOfWriter(old, isHeldByWriter)
    events.push({ kind: 'recorded', executionId: old.executionId, lease, ...NO_WRITES, records })
  }
  if (old !== undefined && signals.length > 0) {
    events.push({ kind: 'signalled', executionId: old.executionId, name: '', ordinal: 0, records: signals })
  }
  return events
}

function eventOf(
  old: ExecutionRow | undefined,
  row: ExecutionRow,
  isHeldByWriter: boolean,
): ExecutionEvent | undefined {
  const { executionId } = row
  const wasRunning = old?.status === 'running'
  if (row.status === 'running' && (!wasRunning || old.startedAt?.getTime() !== row.startedAt?.getTime())) {
    const { leaseId } = leaseOf(row)
    const expiresAt = row.expiresAt ?? new Date(NaN)
    return { kind: 'claimed', executionId, leaseId, executorId: row.executorId ?? '', expiresAt }
  }
  if (old === undefined) {
    return undefined
  }
  // A function may end so, too: by the error of a child that was cancelled. Only one that is cancelled from outside is told.
  const isOwnEnd = wasRunning && !row.needsPromiseCancellation
  if (row.status === 'cancelled' && !isFinishedStatus(old.status) && !isOwnEnd) {
    return row.error?.message.startsWith('Parent task ') === true
      ? { kind: 'parent_ended', executionId, parentError: row.error }
      : { kind: 'cancelled', executionId }
  }
  return wasRunning ? runEvent(old, row, isHeldByWriter) : undefined
}

const NO_WRITES: DurableWrites = { records: [], children: [], childrenTasks: [], mayExist: false }

function leaseOfWriter(old: ExecutionRow, isHeldByWriter: boolean): Lease {
  return isHeldByWriter ? leaseOf(old) : { startedAt: new Date(0), leaseId: 'of somebody else' }
}

function runEvent(old: ExecutionRow, row: ExecutionRow, isHeldByWriter: boolean): ExecutionEvent | undefined {
  const { executionId } = row
  const lease = leaseOfWriter(old, isHeldByWriter)
  if (row.status === 'running') {
    return row.expiresAt?.getTime() === old.expiresAt?.getTime()
      ? undefined
      : { kind: 'renewed', executionId, lease, expiresAt: row.expiresAt ?? new Date(NaN) }
  }
  if (isLoss(old, row, isHeldByWriter)) {
    return { kind: 'lost', executionId, maxLosses: Infinity }
  }
  const error = row.error ?? { errorType: 'generic', message: '', isRetryable: true }
  switch (row.status) {
    case 'ready':
      if (row.retryAttempts > old.retryAttempts) {
        return { kind: 'failed', executionId, lease, error }
      }
      // Where the storage does not keep what rows wait for, a run that is left is one that is given back.
      return row.suspendedFor === undefined || row.suspendedFor.length === 0
        ? { kind: 'released', executionId, lease }
        : { kind: 'suspended', executionId, lease, waitsFor: row.suspendedFor, ...NO_WRITES }
    case 'completed':
      return { kind: 'succeeded', executionId, lease, runOutput: row.runOutput ?? '' }
    case 'waiting_for_children_tasks':
    case 'waiting_for_finalize_task':
      return { kind: 'fanned_out', executionId, lease, runOutput: row.runOutput ?? '', children: [] }
    default:
      return { kind: 'failed', executionId, lease, error }
  }
}

// A storage that keeps no losses tells a loss from a release only by who wrote it, and by the error it left.
function isLoss(old: ExecutionRow, row: ExecutionRow, isHeldByWriter: boolean): boolean {
  if (row.losses !== undefined) {
    return row.losses > (old.losses ?? 0)
  }
  return row.status === 'ready' && row.error?.message === 'Task expired' && !isHeldByWriter
}
