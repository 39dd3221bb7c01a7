/** One run of a function, as its executor keeps it. */

import { assert } from '../base/assert.ts'
import { BorrowedSignal } from '../base/borrowed-signal.ts'
import { type CancelSignal, OwnCancelSignal } from '../base/cancel.ts'
import { type Millis, type Timer } from '../base/clock.ts'
import { type Lease } from '../machine/event.ts'
import { type ExecutionRow } from '../machine/execution.ts'
import { type TaskDefinition } from '../task/define.ts'
import { type DurableCode } from '../task/durable-context.ts'
import { type DurableCalls } from './durable/calls.ts'
import { type Engine } from './engine.ts'
import { type Attempt } from './run-attempt.ts'

/** One run: from the claim until its function has ended and its outcome is settled or dropped. */
// A class: V8 may by chance come to make literals in the old generation (see `newRow`), and not what has a constructor.
export class Run implements Attempt {
  readonly row: ExecutionRow
  readonly lease: Lease
  readonly definition: TaskDefinition
  readonly cancelSignal: OwnCancelSignal
  readonly shutdownSignal: BorrowedSignal
  /** When this process must believe its lease lapsed, on the monotonic clock. */
  leaseDeadlineAt: Millis
  /** Whether its outcome is fixed: handed to the committer, or of no interest any more. */
  isDecided = false
  /** Whether it was told to stop because the executor does. */
  isToldToLeave = false
  /** Whether its function was called and has not ended; it takes a slot. */
  isActive = true
  /** Whether its lease is ours: from the claim until the outcome is settled or dropped. */
  isHeld = true
  /** Whether its function has returned or thrown. */
  hasEnded = false
  /** When its function was called, on the monotonic clock. */
  startedAt: Millis
  timer: Timer | undefined = undefined
  /** Whether that timer is for the deadline of the execution, and not for the timeout of the attempt. */
  isTimedByDeadline = false
  calls: DurableCalls | undefined = undefined
  code: DurableCode | undefined = undefined

  /** The run of a row that was claimed. */
  constructor(
    row: ExecutionRow,
    definition: TaskDefinition,
    { leaseDeadlineAt, shutdownSignal }: { leaseDeadlineAt: Millis; shutdownSignal: CancelSignal },
    { logger, doors }: Pick<Engine, 'logger' | 'doors'>,
  ) {
    this.row = row
    this.lease = leaseOf(row)
    this.definition = definition
    this.cancelSignal = new OwnCancelSignal(undefined, logger)
    this.shutdownSignal = new BorrowedSignal(shutdownSignal)
    this.leaseDeadlineAt = leaseDeadlineAt
    this.startedAt = doors.clock.monotonicNow()
  }
}

/** The lease under which a row was claimed. The row itself is one, where it has both fields. */
export function leaseOf(row: ExecutionRow): Lease {
  const { executionId, startedAt, leaseId } = row
  assert(startedAt !== undefined, `the claimed execution ${executionId} has no startedAt`)
  return leaseId === undefined ? { startedAt, leaseId: '' } : (row as ExecutionRow & Lease)
}

/** Whether all that the function of the run can be doing is to wait for a durable call, or for itself. */
export function isWaiting({ calls }: Run): boolean {
  return calls !== undefined && calls.isOpen && !calls.isStepRunning
}
