/** What the life of one attempt does to its row: claimed, renewed, settled, released, lost, cancelled. */

import { type Millis } from '../base/clock.ts'
import { cutMessage, type DurableExecutionErrorStorageObject } from '../base/errors.ts'
import { deadlineExceeded, deadlineOf, dueBy } from './deadline.ts'
import { type ExecutionEvent, type Lease, type Refusal } from './event.ts'
import { childrenCount, type ExecutionUpdate, type LeanRow } from './execution.ts'
import { type FinishedStatus, isFinishedStatus } from './status.ts'
import { nextAttemptAfterLossAt, nextAttemptAt } from './retry.ts'

type EventOf<K extends ExecutionEvent['kind']> = Extract<ExecutionEvent, { kind: K }>
type Move = ExecutionUpdate | Refusal

/** Whether the row runs under this lease. */
export function holdsLease(row: LeanRow, lease: Lease): boolean {
  return row.status === 'running' && wasClaimedBy(row, lease)
}

/** Whether the row's last claim is this one. */
function wasClaimedBy(row: LeanRow, lease: Lease): boolean {
  return (
    row.startedAt?.getTime() === lease.startedAt.getTime() &&
    (row.leaseId === undefined || row.leaseId === lease.leaseId)
  )
}

export function claimed(row: LeanRow, event: EventOf<'claimed'>, now: Millis): Move {
  if (row.startAt.getTime() > now) {
    return 'not_due'
  }
  // The fence: each claim of a row has a later `startedAt` than all before it, whatever the clocks say.
  const startedAtMs = Math.max(now, (row.startedAt?.getTime() ?? -Infinity) + 1)
  return {
    status: 'running',
    startedAt: new Date(startedAtMs),
    expiresAt: event.expiresAt,
    leaseId: event.leaseId,
    executorId: event.executorId,
    updatedAt: new Date(now),
  }
}

export function renewed(row: LeanRow, event: EventOf<'renewed'>, now: Millis): Move {
  return holdsLease(row, event.lease) ? { expiresAt: event.expiresAt, updatedAt: new Date(now) } : 'stale'
}

export function succeeded(row: LeanRow, event: EventOf<'succeeded'>, now: Millis): Move {
  if (!holdsLease(row, event.lease)) {
    return 'stale'
  }
  // The most frequent of all, so it is made in one piece.
  const at = new Date(now)
  return {
    ...(isSuspensionLeft(row) ? NOT_SUSPENDED : {}),
    status: 'completed',
    finishedAt: finishedAt(row, at),
    unsetExpiresAt: true,
    updatedAt: at,
    runOutput: event.runOutput,
    output: event.runOutput,
    unsetError: true,
    losses: 0,
  }
}

export function failed(row: LeanRow, event: EventOf<'failed'>, now: Millis): Move {
  return holdsLease(row, event.lease) ? afterError(row, event.error, now) : 'stale'
}

/** The attempt ended with this error: retried, or the end. A retry that would begin at the deadline or later is none. */
export function afterError(
  row: LeanRow,
  error: DurableExecutionErrorStorageObject,
  now: Millis,
): ExecutionUpdate {
  const kept = { ...error, message: cutMessage(error.message) }
  const retryAt = error.isRetryable ? nextAttemptAt(row.retryOptions, row.retryAttempts, now) : null
  if (retryAt === null) {
    return { ...finish(row, statusFor(error), now), error: kept, losses: 0 }
  }
  if (retryAt >= deadlineOf(row)) {
    return { ...finish(row, 'timed_out', now), error: deadlineExceeded(error.message), losses: 0 }
  }
  return {
    status: 'ready',
    error: kept,
    retryAttempts: row.retryAttempts + 1,
    startAt: new Date(retryAt),
    unsetExpiresAt: true,
    losses: 0,
    ...NOT_SUSPENDED,
    updatedAt: new Date(now),
  }
}

export function released(row: LeanRow, event: EventOf<'released'>, now: Millis): Move {
  return holdsLease(row, event.lease)
    ? { status: 'ready', unsetExpiresAt: true, ...NOT_SUSPENDED, updatedAt: new Date(now) }
    : 'stale'
}

/**
 * A row that is put back for another reason does not wait for what it waited for before. It says so even where it never
 * waited: a row that was run before and says nothing is one of a storage that does not keep what rows wait for.
 */
const NOT_SUSPENDED: Pick<ExecutionUpdate, 'suspendedFor'> = { suspendedFor: [] }

/** Whether the row still says what it waited for before this attempt: a claim leaves that in place. */
export function isSuspensionLeft({ suspendedFor }: LeanRow): boolean {
  return suspendedFor !== undefined && suspendedFor.length > 0
}

// A lapsed lease means that the executor died or stalled: that is a loss, never a retry of the task's own.
export function lost(row: LeanRow, event: EventOf<'lost'>, now: Millis): Move {
  if (row.expiresAt === undefined || row.expiresAt.getTime() >= now) {
    return 'not_lapsed'
  }
  const losses = (row.losses ?? 0) + 1
  if (losses >= event.maxLosses) {
    return {
      ...finish(row, 'failed', now),
      losses,
      error: {
        errorType: 'generic',
        message: `Task lost ${losses} times: each time the process that ran it died or stalled`,
        isRetryable: false,
      },
    }
  }
  return {
    status: 'ready',
    error: { errorType: 'generic', message: 'Task expired', isRetryable: false },
    losses,
    startAt: new Date(dueBy(row, nextAttemptAfterLossAt(losses, now), now)),
    unsetExpiresAt: true,
    ...NOT_SUSPENDED,
    updatedAt: new Date(now),
  }
}

export function cancelled(row: LeanRow, message: string, now: Millis): ExecutionUpdate {
  return {
    ...finish(row, 'cancelled', now),
    error: { errorType: 'cancelled', message: cutMessage(message), isRetryable: false },
    // Whoever runs it, wherever that is, is told through this flag.
    needsPromiseCancellation: row.status === 'running',
  }
}

/** The fields that every end writes. `finishedAt` is never before `startedAt`. */
export function finish(row: LeanRow, status: FinishedStatus, now: Millis): ExecutionUpdate {
  const at = new Date(now)
  return {
    ...(isSuspensionLeft(row) ? NOT_SUSPENDED : {}),
    status,
    finishedAt: finishedAt(row, at),
    unsetExpiresAt: true,
    updatedAt: at,
  }
}

function finishedAt({ startedAt }: LeanRow, now: Date): Date {
  return startedAt !== undefined && startedAt > now ? new Date(startedAt) : now
}

/** Whether a refused outcome is in the row already: this very event was written, and its reply was lost. */
export function isRepeated(row: LeanRow, event: ExecutionEvent): boolean {
  switch (event.kind) {
    case 'succeeded':
      return wasClaimedBy(row, event.lease) && row.status === 'completed'
    case 'fanned_out':
      return (
        wasClaimedBy(row, event.lease) &&
        (row.status.startsWith('waiting') ||
          row.finalizeTask !== undefined ||
          row.status === 'completed' ||
          row.status === 'children_tasks_failed' ||
          (row.status === 'timed_out' && childrenCount(row) > 0))
      )
    case 'failed':
      return (
        wasClaimedBy(row, event.lease) &&
        (row.status === 'ready' || isFinishedStatus(row.status)) &&
        [event.error, deadlineExceeded(event.error.message)].some(
          ({ message, errorType }) =>
            row.error?.message === cutMessage(message) && row.error.errorType === errorType,
        )
      )
    case 'suspended':
      return (
        wasClaimedBy(row, event.lease) &&
        row.status === 'ready' &&
        (row.suspendedFor === undefined || row.suspendedFor.length > 0)
      )
    case 'released':
      return wasClaimedBy(row, event.lease) && row.status === 'ready' && row.error?.message !== 'Task expired'
    default:
      return false
  }
}

function statusFor(error: DurableExecutionErrorStorageObject): FinishedStatus {
  switch (error.errorType) {
    case 'timed_out':
      return 'timed_out'
    case 'cancelled':
      return 'cancelled'
    case 'generic':
      return 'failed'
  }
}
