/** Waiting for an execution of which nothing but its output is wanted. */

import { type CancelSignal } from '../base/cancel.ts'
import {
  aboutExecution,
  DurableExecutionCancelledError,
  DurableExecutionError,
  fromErrorStorageObject,
} from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { firstCauseOf } from '../machine/parent-error.ts'
import { type DurableTaskEnqueueOptions, isGiven } from '../task/options.ts'
import { type HandleDoors, resolveSignal, toView, waitUntilFinished } from './handle.ts'

/**
 * What may be said when a task is run: all that may be said when it is enqueued, but for a transaction.
 *
 * @category Executor
 */
export type DurableTaskRunOptions = Omit<DurableTaskEnqueueOptions, 'transaction'> & {
  /** Ends the wait with a `DurableExecutionCancelledError`; the execution goes on. */
  signal?: CancelSignal | AbortSignal | null | undefined
}

/** The signal of a `runTask`. Throws where there is no use in enqueueing anything. */
export function resolveRunSignal(
  taskId: string,
  options: DurableTaskRunOptions | null | undefined,
): CancelSignal | undefined {
  const { signal, transaction } = (options ?? {}) as DurableTaskRunOptions & DurableTaskEnqueueOptions
  if (isGiven(transaction)) {
    throw new DurableExecutionError(
      `Option transaction of runTask of task ${taskId} is not possible: the execution would begin after the commit, and the commit would wait for its end. ` +
        'Use enqueueTask, and wait when the transaction is committed.',
      false,
    )
  }
  const resolved = resolveSignal(signal)
  if (resolved?.isCancelled() === true) {
    throw new DurableExecutionCancelledError(
      `Task ${taskId} was not enqueued: the signal of runTask was cancelled before`,
    )
  }
  return resolved
}

/** Waits until the execution has ended; gives its output, or throws what went wrong. */
export async function outputOf<TOutput>(
  execution: { taskId: string; executionId: string },
  signal: CancelSignal | undefined,
  doors: HandleDoors,
): Promise<TOutput> {
  const { taskId, executionId } = execution
  const waiting = waitUntilFinished(taskId, executionId, doors, signal, LIMITS.waitPollMs)
  const row = await waiting.catch((error: unknown) => {
    if (signal?.isCancelled() === true && error instanceof DurableExecutionCancelledError) {
      throw aboutExecution(
        new DurableExecutionCancelledError(
          `Waiting for execution ${executionId} of task ${taskId} was cancelled; the execution goes on`,
        ),
        execution,
      )
    }
    throw error
  })
  const view = toView<TOutput>(row, doors)
  if (view.status === 'completed') {
    return view.output
  }
  throw aboutExecution(fromErrorStorageObject(firstCauseOf(row)), execution)
}
