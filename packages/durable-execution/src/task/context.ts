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
  /** Fires when the executor shuts down; the attempt may still finish. Who listens is forgotten when it ends. */
  shutdownSignal: CancelSignal
  /** Aborted, with the reason, whenever `cancelSignal` fires. For `fetch` and its like. */
  readonly abortSignal: AbortSignal
  /** Which attempt this is: 0 is the first, 1 the first retry. */
  attempt: number
  /** How the attempt before ended. */
  prevError?: DurableExecutionErrorStorageObject
}

/**
 * Makes the context of an attempt. Its abort signal is made on first use: most tasks never ask. It is a
 * property like the others, so that a copy of the context has it too.
 */
export function createRunContext(attempt: {
  taskId: string
  executionId: string
  cancelSignal: CancelSignal
  shutdownSignal: CancelSignal
  attempt: number
  prevError: DurableExecutionErrorStorageObject | undefined
}): DurableTaskRunContext {
  const { prevError, ...given } = attempt
  let abortSignal: AbortSignal | undefined
  return {
    ...given,
    ...(prevError === undefined ? {} : { prevError }),
    get abortSignal() {
      abortSignal ??= toAbortSignal(given.cancelSignal)
      return abortSignal
    },
  }
}
