/** What can happen to an execution, and why the rules may refuse it. */

import { type Millis } from '../base/clock.ts'
import { type DurableExecutionErrorStorageObject } from '../base/errors.ts'
import {
  type DurableChildTaskExecution,
  type DurableSuspensionStorageObject,
  type DurableTaskRetryOptions,
} from './execution.ts'
import { type NewRecord } from './records.ts'

/**
 * The claim under which a run holds its row. `startedAt` alone tells claims of one row apart;
 * `leaseId` is compared too where the storage keeps it.
 */
export type Lease = { startedAt: Date; leaseId: string }

/** What an execution of a task starts out with. */
export type ExecutionTemplate = {
  taskId: string
  retryOptions: DurableTaskRetryOptions
  sleepMsBeforeRun: number
  timeoutMs: number
  /** Absent: that of its parent. */
  priority?: number
}

/** What may be said of one execution, and not of its task. */
export type Wishes = {
  /** Not before this moment is it due. */
  startAt?: Millis
  /** How long it may take in all, from its creation on. */
  deadlineMs?: Millis
  tags?: Record<string, string>
}

/** A child that a parent's run returned, checked and with its id drawn. */
export type NewChild = ExecutionTemplate & Wishes & { executionId: string; runInput: string }

/** Something that happened to one execution. The kinds are the columns of the table of transitions. */
export type ExecutionEvent =
  /** An executor takes the row to run it. */
  | { kind: 'claimed'; executionId: string; leaseId: string; executorId: string; expiresAt: Date }
  /** The executor that runs it is alive. */
  | { kind: 'renewed'; executionId: string; lease: Lease; expiresAt: Date }
  /** The run of a plain task returned. */
  | { kind: 'succeeded'; executionId: string; lease: Lease; runOutput: string }
  /** The run of a parent task returned its output and its children, perhaps none. */
  | {
      kind: 'fanned_out'
      executionId: string
      lease: Lease
      runOutput: string
      children: ReadonlyArray<NewChild>
    }
  /** The run goes on, and remembers something, or starts children that it awaits. */
  | ({ kind: 'recorded'; executionId: string; lease: Lease } & DurableWrites)
  /** The run is left: all that it still does is to wait. */
  | ({
      kind: 'suspended'
      executionId: string
      lease: Lease
      waitsFor: ReadonlyArray<DurableSuspensionStorageObject>
    } & DurableWrites)
  /** Somebody sends it the n-th signal of a name. */
  | {
      kind: 'signalled'
      executionId: string
      name: string
      ordinal: number
      records: ReadonlyArray<NewRecord>
    }
  /** The run threw, timed out, or returned what cannot be stored. */
  | { kind: 'failed'; executionId: string; lease: Lease; error: DurableExecutionErrorStorageObject }
  /** The executor gives the row back unrun or unfinished. */
  | { kind: 'released'; executionId: string; lease: Lease }
  /** The lease lapsed: the executor died or stalled. */
  | { kind: 'lost'; executionId: string; maxLosses: number }
  /** A user cancels it. */
  | { kind: 'cancelled'; executionId: string }
  /** Its parent ended badly. */
  | { kind: 'parent_ended'; executionId: string; parentError: DurableExecutionErrorStorageObject }
  /** A child ended well. */
  | { kind: 'child_completed'; executionId: string; childId: string }
  /** A child ended badly. */
  | { kind: 'child_failed'; executionId: string; childId: string }
  /** A child that its code awaits has ended. */
  | { kind: 'awaited_ended'; executionId: string; childId: string }
  /** Its finalize task ended well. */
  | { kind: 'finalize_completed'; executionId: string; childId: string }
  /** Its finalize task ended badly. */
  | { kind: 'finalize_failed'; executionId: string; childId: string }
  /**
   * Its consequences are written. `isBelowClosed`: nothing below it is active or open any more. `compensation`: what is to undo what it
   * did, if it ended badly.
   */
  | { kind: 'closed'; executionId: string; isBelowClosed: boolean; compensation?: NewChild }

/** What a run writes on its way. */
export type DurableWrites = {
  records: ReadonlyArray<NewRecord>
  /** Children that it starts, and awaits. */
  children: ReadonlyArray<NewChild>
  /** Where the list of its children grows: the whole list, with those that it started earlier. */
  childrenTasks: ReadonlyArray<DurableChildTaskExecution>
  /** Whether something is to be undone if it ends badly. */
  hasCompensations?: boolean
  /** What it says of its progress, and whether it has said anything before. */
  state?: { output: string; isThere: boolean }
  /** Whether an earlier try may have written them. */
  mayExist: boolean
}

export type EventKind = ExecutionEvent['kind']

/** Events that come from outside; the others follow from them inside a family. */
export type OutsideEvent = Exclude<
  ExecutionEvent,
  { kind: 'child_completed' | 'child_failed' | 'awaited_ended' | 'finalize_completed' | 'finalize_failed' }
>

/** Why an event changed nothing. A refusal is an answer, not an error. */
export type Refusal =
  /** There is no such row, or it could not be locked. */
  | 'not_found'
  /** The row is finished; its outcome stands. */
  | 'finished'
  /** The row is not running, or not under this lease. */
  | 'stale'
  /** The row already holds the outcome that this very event would write. */
  | 'repeated'
  /** It is not ready, or not due yet. */
  | 'not_due'
  /** Its lease has not lapsed. */
  | 'not_lapsed'
  /** It still can end in more than one way. */
  | 'not_finished'
  /** It is closed already. */
  | 'closed'
  /** Something below it is active or open. */
  | 'below_open'
  /** Its parent is not locked here, or its task is not known here. */
  | 'parent_unknown'
  /** It does not wait for this. */
  | 'not_waiting'
