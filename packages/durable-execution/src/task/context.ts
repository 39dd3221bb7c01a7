/** What a task's function is given beside its input. */

import { type CancelSignal, withAbortSignal } from '../base/cancel.ts'
import { type DurableExecutionErrorStorageObject } from '../base/errors.ts'
import { type ExecutionRow } from '../machine/execution.ts'
import { type DurableCode } from './durable-context.ts'

/**
 * The context of one attempt.
 *
 * @category Task
 */
export type DurableTaskRunContext = {
  /** The id of the task. */
  taskId: string
  /** The id of the execution: the same for all of its attempts. */
  executionId: string
  /** Fires when the attempt should stop: cancelled, timed out, or its lease lost. */
  cancelSignal: CancelSignal
  /** Fires when the executor shuts down; the attempt may still finish. Who listens is forgotten when it ends. */
  shutdownSignal: CancelSignal
  /** Aborted, with the reason, whenever `cancelSignal` fires. For `fetch` and its like. */
  readonly abortSignal: AbortSignal
  /** Which attempt this is: 0 is the first, 1 the first retry. */
  attempt: number
  /** How the attempt before ended. */
  prevError?: DurableExecutionErrorStorageObject
  /** The same for all attempts of this execution, and no other's: for services that keep such keys. */
  idempotencyKey: string
  /** Greater in each run of the execution than in all before it: for services that refuse what comes from an older run. */
  fencingToken: number
} & DurableCode

/** Gives the durable calls of the attempt; made when the first is asked for, since most tasks never ask. */
export type CodeOf = (attempt: ContextOf) => DurableCode

/** What a context is made of. */
export type ContextOf = { row: ExecutionRow; cancelSignal: CancelSignal; shutdownSignal: CancelSignal }

type Call = (...given: Array<unknown>) => Promise<unknown>

class RunContext implements Record<keyof DurableCode, Call> {
  taskId: string
  executionId: string
  cancelSignal: CancelSignal
  shutdownSignal: CancelSignal
  attempt: number
  idempotencyKey: string
  fencingToken: number
  declare prevError?: DurableExecutionErrorStorageObject
  step: Call
  transaction: Call
  sleep: Call
  waitForSignal: Call
  runTask: Call
  runTasks: Call
  compensate: Call
  setState: Call

  constructor(attempt: ContextOf, codeOf: CodeOf) {
    const { row, cancelSignal, shutdownSignal } = attempt
    this.taskId = row.taskId
    this.executionId = row.executionId
    this.cancelSignal = cancelSignal
    this.shutdownSignal = shutdownSignal
    this.attempt = row.retryAttempts
    this.idempotencyKey = row.executionId
    this.fencingToken = row.startedAt?.getTime() ?? 0
    if (row.error !== undefined) {
      this.prevError = row.error
    }
    // Its own, where accessors of the class would be lost to a copy; a function is small and quick to make.
    this.step = callOf('step', attempt, codeOf)
    this.transaction = callOf('transaction', attempt, codeOf)
    this.sleep = callOf('sleep', attempt, codeOf)
    this.waitForSignal = callOf('waitForSignal', attempt, codeOf)
    this.runTask = callOf('runTask', attempt, codeOf)
    this.runTasks = callOf('runTasks', attempt, codeOf)
    this.compensate = callOf('compensate', attempt, codeOf)
    this.setState = callOf('setState', attempt, codeOf)
  }
}

// Returned, and not assigned where it is written: V8 makes such a function in the old generation, where it would keep the run.
function callOf(name: keyof DurableCode, attempt: ContextOf, codeOf: CodeOf): Call {
  return (...given) => (codeOf(attempt) as Record<keyof DurableCode, Call>)[name](...given)
}

/** Makes the context of an attempt. */
export function createRunContext(attempt: ContextOf, codeOf: CodeOf): DurableTaskRunContext {
  return withAbortSignal(new RunContext(attempt, codeOf)) as unknown as DurableTaskRunContext
}
