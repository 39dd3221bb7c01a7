/** What must hold between a row and what one transaction made of it. */

import { type ExecutionEvent, type Lease } from './event.ts'
import { type ExecutionRow } from './execution.ts'
import { ALL_STATUSES, type DurableTaskExecutionStatusStorageObject, isFinishedStatus } from './status.ts'
import { historyOf } from './history.ts'
import { type Report, type StepContext, type Violation } from './invariants.ts'
import { TRANSITIONS } from './table.ts'

type Status = DurableTaskExecutionStatusStorageObject
/** Where a row may go from each status, whatever happened: read off the table. */
const NEXT_STATUSES: ReadonlyMap<Status, ReadonlySet<Status>> = new Map(
  ALL_STATUSES.map((status) => [
    status,
    new Set(Object.values(TRANSITIONS[status]).flatMap((cell) => ('to' in cell ? cell.to : []))),
  ]),
)

/** Adds what is wrong with one row's step. */
export function checkStepOfRow(
  before: ExecutionRow,
  after: ExecutionRow,
  context: StepContext,
  violations: Array<Violation>,
): void {
  const { executionId } = before
  const report: Report = (invariant, sentence) => violations.push({ invariant, executionId, sentence })
  if (after.status !== before.status && NEXT_STATUSES.get(before.status)?.has(after.status) !== true) {
    report(isFinishedStatus(before.status) ? 'S1' : 'S2', `${before.status} became ${after.status}`)
  }
  if (isFinishedStatus(before.status)) {
    checkFinished(before, after, report)
  }
  if (after.status === 'completed' && historyOf(context.history, executionId).isCancelled) {
    report('S14', 'it was cancelled, and is completed now')
  }
  const events = context.events.filter((event) => event.executionId === executionId)
  checkLease(before, events, context, report)
  checkFailure(after, events, report)
  if (before.status === 'running' && after.status !== 'running' && !events.some(endsRun)) {
    report('S4', `${before.status} became ${after.status}, and nobody with a right to it did that`)
  }
  if (events.some((event) => event.kind === 'claimed') || isClaim(before, after)) {
    checkClaim(before, after, context, report)
  } else if (after.startedAt?.getTime() !== before.startedAt?.getTime()) {
    report('S5', 'startedAt changed without a claim')
  }
  if (before.isClosed && !after.isClosed) {
    report('S1', 'it was closed, and is open again')
  }
}

function checkFinished(before: ExecutionRow, after: ExecutionRow, report: Report): void {
  if (after.finishedAt?.getTime() !== before.finishedAt?.getTime()) {
    report('S1', 'finishedAt changed')
  }
  if (after.output !== before.output || after.runOutput !== before.runOutput) {
    report('S1', 'an output changed')
  }
  if (
    !isSameError(after.error, before.error) ||
    !isSameError(after.finalizeTaskError, before.finalizeTaskError)
  ) {
    report('S1', 'an error changed')
  }
  if (after.finalizeTask?.executionId !== before.finalizeTask?.executionId) {
    report('S1', 'the finalize execution changed')
  }
}

function checkLease(
  before: ExecutionRow,
  events: ReadonlyArray<ExecutionEvent>,
  context: StepContext,
  report: Report,
): void {
  for (const event of events) {
    if ('lease' in event && !isUnder(before, event.lease)) {
      report('S4', `${event.kind} was accepted from ${event.lease.leaseId}, which did not hold the row`)
    }
    if (
      event.kind === 'lost' &&
      !(before.expiresAt !== undefined && before.expiresAt.getTime() < context.now)
    ) {
      report('S4', 'a loss was accepted of a row whose lease had not lapsed')
    }
  }
}

// Not the rule's own answer: an invariant that asks the rule that it checks sees nothing.
function isUnder(row: ExecutionRow, { startedAt, leaseId }: Lease): boolean {
  const isSameClaim = row.startedAt?.getTime() === startedAt.getTime()
  return row.status === 'running' && isSameClaim && (row.leaseId ?? leaseId) === leaseId
}

/** What an attempt that failed led to follows from its error. */
function checkFailure(after: ExecutionRow, events: ReadonlyArray<ExecutionEvent>, report: Report): void {
  for (const event of events) {
    if (event.kind !== 'failed') {
      continue
    }
    const { errorType, isRetryable } = event.error
    if (after.status === 'ready' && !isRetryable) {
      report('S7', 'it is tried again after an error that forbids it')
    }
    const isRefusedRetry = isRetryable && after.deadlineAt !== undefined && after.status === 'timed_out'
    const expected = errorType === 'generic' ? 'failed' : errorType
    if (after.status !== 'ready' && after.status !== expected && !isRefusedRetry) {
      report('S2', `an attempt that ended as ${errorType} led to ${after.status}`)
    }
  }
}

function checkClaim(before: ExecutionRow, after: ExecutionRow, context: StepContext, report: Report): void {
  const startedAtMs = after.startedAt?.getTime() ?? -Infinity
  const { claims } = historyOf(context.history, before.executionId)
  const latestMs = Math.max(
    before.startedAt?.getTime() ?? -Infinity,
    ...claims.map((claim) => claim.startedAt.getTime()),
  )
  if (before.status !== 'ready') {
    report('S2', `a row that was ${before.status} was claimed`)
  }
  if (startedAtMs <= latestMs) {
    report('S5', 'startedAt is not later than that of an earlier claim')
  }
  if (after.leaseId !== undefined && claims.some((claim) => claim.leaseId === after.leaseId)) {
    report('S5', `the lease ${after.leaseId} was used before`)
  }
  if (before.startAt.getTime() > context.now) {
    report('S15', `it was claimed ${before.startAt.getTime() - context.now} ms before its time`)
  }
}

const RUN_ENDS: ReadonlySet<string> = new Set([
  'succeeded',
  'fanned_out',
  'suspended',
  'failed',
  'released',
  'lost',
  'cancelled',
  'parent_ended',
])

function endsRun(event: ExecutionEvent): boolean {
  return RUN_ENDS.has(event.kind)
}

function isClaim(before: ExecutionRow, after: ExecutionRow): boolean {
  return before.status !== 'running' && after.status === 'running'
}

function isSameError(one: ExecutionRow['error'], other: ExecutionRow['error']): boolean {
  return one?.message === other?.message && one?.errorType === other?.errorType
}
