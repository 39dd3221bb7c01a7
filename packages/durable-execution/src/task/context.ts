/** What a task's function is given beside its input. */

import { type CancelSignal, toAbortSignal } from '../base/cancel.ts'
import { type DurableExecutionErrorStorageObject } from '../base/errors.ts'
import { type ExecutionRow } from '../machine/execution.ts'
import { DURABLE_CALLS, type DurableCode } from './durable-context.ts'

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

// One accessor for all: written in the literal it would be made anew for each attempt, at 600 bytes and 2 µs.
const ABORT_SIGNAL: PropertyDescriptor & ThisType<DurableTaskRunContext> = {
  get() {
    return toAbortSignal(this.cancelSignal)
  },
  enumerable: true,
  configurable: true,
}

/** Gives the durable calls of the attempt; made when the first is asked for, since most tasks never ask. */
export type CodeOf = (attempt: ContextOf) => DurableCode

/** What a context is made of. */
export type ContextOf = { row: ExecutionRow; cancelSignal: CancelSignal; shutdownSignal: CancelSignal }

class RunContext {
  readonly #attempt: ContextOf
  readonly #codeOf: CodeOf
  taskId: string
  executionId: string
  cancelSignal: CancelSignal
  shutdownSignal: CancelSignal
  attempt: number
  idempotencyKey: string
  fencingToken: number
  declare prevError?: DurableExecutionErrorStorageObject

  constructor(attempt: ContextOf, codeOf: CodeOf) {
    const { row, cancelSignal, shutdownSignal } = attempt
    this.#attempt = attempt
    this.#codeOf = codeOf
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
  }

  static code(context: RunContext): DurableCode {
    return context.#codeOf(context.#attempt)
  }
}

for (const name of DURABLE_CALLS) {
  Object.defineProperty(RunContext.prototype, name, {
    get(this: RunContext) {
      return RunContext.code(this)[name]
    },
  })
}

/**
 * Makes the context of an attempt. Its abort signal is made on first use: most tasks never ask. It is a
 * property like the others, so that a copy of the context has it too.
 */
export function createRunContext(attempt: ContextOf, codeOf: CodeOf): DurableTaskRunContext {
  return Object.defineProperty(
    new RunContext(attempt, codeOf),
    'abortSignal',
    ABORT_SIGNAL,
  ) as unknown as DurableTaskRunContext
}
