/** What a task's function is given beside its input. */

import { type CancelSignal, toAbortSignal } from '../base/cancel.ts'
import { type DurableExecutionErrorStorageObject } from '../base/errors.ts'

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
  /** Fires when the executor shuts down; the attempt may still finish. */
  shutdownSignal: CancelSignal
  /** Aborted, with the reason, whenever `cancelSignal` fires. For `fetch` and its like. */
  readonly abortSignal: AbortSignal
  /** Which attempt this is: 0 is the first, 1 the first retry. */
  attempt: number
  /** How the attempt before ended. */
  prevError?: DurableExecutionErrorStorageObject
}

/** Makes the context of an attempt. Its abort signal is made on first use: most tasks never ask. */
export function createRunContext(attempt: {
  taskId: string
  executionId: string
  cancelSignal: CancelSignal
  shutdownSignal: CancelSignal
  attempt: number
  prevError: DurableExecutionErrorStorageObject | undefined
}): DurableTaskRunContext {
  return new RunContext(attempt)
}

class RunContext implements DurableTaskRunContext {
  readonly taskId: string
  readonly executionId: string
  readonly cancelSignal: CancelSignal
  readonly shutdownSignal: CancelSignal
  readonly attempt: number
  declare readonly prevError?: DurableExecutionErrorStorageObject
  #abortSignal: AbortSignal | undefined

  constructor(attempt: Parameters<typeof createRunContext>[0]) {
    this.taskId = attempt.taskId
    this.executionId = attempt.executionId
    this.cancelSignal = attempt.cancelSignal
    this.shutdownSignal = attempt.shutdownSignal
    this.attempt = attempt.attempt
    if (attempt.prevError !== undefined) {
      this.prevError = attempt.prevError
    }
  }

  get abortSignal(): AbortSignal {
    this.#abortSignal ??= toAbortSignal(this.cancelSignal)
    return this.#abortSignal
  }
}
