/** What an observer counts of each execution while it lives: the ground against which rows are checked. */

import { type ExecutionEvent, type Lease } from './event.ts'
import { type ExecutionRow } from './execution.ts'

/** What an observer counted of one execution. */
export type ExecutionHistory = {
  /** The claims that were committed, in their order. */
  claims: ReadonlyArray<Lease>
  /** The leases under which user code was started, in their order. */
  starts: ReadonlyArray<Lease>
  /** Attempts that ended with an error and were put back for a retry. */
  retries: number
  losses: number
  /** Losses since the last attempt that settled. */
  lossesInARow: number
  releases: number
  /** Times that its run was left since all that it did was to wait. */
  suspensions: number
  /** Outcomes that were accepted: the row left the hands of its runs. */
  outcomes: number
  /** Whether a user's cancel was acknowledged. */
  isCancelled: boolean
}

const NOTHING_YET: ExecutionHistory = {
  claims: [],
  starts: [],
  retries: 0,
  losses: 0,
  lossesInARow: 0,
  releases: 0,
  suspensions: 0,
  outcomes: 0,
  isCancelled: false,
}

/** The history of the execution; an empty one if nothing was counted yet. */
export function historyOf(
  history: ReadonlyMap<string, ExecutionHistory>,
  executionId: string,
): ExecutionHistory {
  return history.get(executionId) ?? NOTHING_YET
}

/** The history as it is after one transaction. `events` are those that were accepted. */
export function recordStep(
  history: ReadonlyMap<string, ExecutionHistory>,
  after: ReadonlyMap<string, ExecutionRow>,
  events: ReadonlyArray<ExecutionEvent>,
): ReadonlyMap<string, ExecutionHistory> {
  if (events.length === 0) {
    return history
  }
  const next = new Map(history)
  for (const event of events) {
    const row = after.get(event.executionId)
    if (row !== undefined) {
      next.set(event.executionId, recordEvent(historyOf(next, event.executionId), row, event))
    }
  }
  return next
}

function recordEvent(counted: ExecutionHistory, row: ExecutionRow, event: ExecutionEvent): ExecutionHistory {
  switch (event.kind) {
    case 'claimed': {
      const lease = { startedAt: row.startedAt ?? new Date(NaN), leaseId: event.leaseId }
      return { ...counted, claims: [...counted.claims, lease] }
    }
    case 'succeeded':
    case 'fanned_out':
      return { ...counted, outcomes: counted.outcomes + 1, lossesInARow: 0 }
    case 'failed':
      return row.status === 'ready'
        ? { ...counted, retries: counted.retries + 1, lossesInARow: 0 }
        : { ...counted, outcomes: counted.outcomes + 1, lossesInARow: 0 }
    case 'released':
      return { ...counted, releases: counted.releases + 1 }
    case 'suspended':
      return { ...counted, suspensions: counted.suspensions + 1, lossesInARow: 0 }
    case 'lost':
      return { ...counted, losses: counted.losses + 1, lossesInARow: counted.lossesInARow + 1 }
    case 'cancelled':
      return { ...counted, isCancelled: true }
    default:
      return counted
  }
}

/** The history once user code was started under the lease. */
export function recordStart(
  history: ReadonlyMap<string, ExecutionHistory>,
  executionId: string,
  lease: Lease,
): ReadonlyMap<string, ExecutionHistory> {
  const counted = historyOf(history, executionId)
  return new Map(history).set(executionId, { ...counted, starts: [...counted.starts, lease] })
}
