/** Moves time until an execution is finished, or says what keeps it. */

import { createCancelSignal } from '../base/cancel.ts'
import { type Millis } from '../base/clock.ts'
import { type DurableTaskHandle } from '../client/handle.ts'
import { type DurableTaskExecution, type DurableTaskFinishedExecution } from '../client/view.ts'
import { isFinishedStatus } from '../machine/status.ts'
import { toForwardMillis } from './clock.ts'
import { TestKitError } from './kit-error.ts'
import { type MovedTime } from './moved-time.ts'

export async function finishInTime<TOutput>(
  handle: DurableTaskHandle<TOutput>,
  time: MovedTime,
  limit: Millis | string,
): Promise<DurableTaskFinishedExecution<TOutput>> {
  const limitMs = toForwardMillis(limit)
  const [signal, stopWaiting] = createCancelSignal()
  let isSettled = false
  const finished = handle.waitAndGetTaskFinishedExecution({ signal }).finally(() => {
    isSettled = true
  })
  finished.catch(() => {})
  if (await time.until(() => isSettled, limitMs)) {
    return await finished
  }
  stopWaiting()
  throw new TestKitError(describeUnfinished(await handle.getTaskExecution(), limit))
}

/** What a test is told of an execution that does not finish. */
export function describeUnfinished(
  execution: Pick<DurableTaskExecution<unknown>, 'taskId' | 'executionId' | 'status' | 'retryAttempts'>,
  limit: Millis | string,
): string {
  const { taskId, executionId, status, retryAttempts } = execution
  const length = typeof limit === 'number' ? `${limit} ms` : limit
  return (
    `Task ${taskId} (execution ${executionId}) is not finished after ${length} of moved time: ` +
    `it is ${status}, after ${retryAttempts} retries. ${hintOf(status)}`
  )
}

function hintOf(status: DurableTaskExecution<unknown>['status']): string {
  if (isFinishedStatus(status)) {
    return 'What it leads to is not done.'
  }
  switch (status) {
    case 'ready':
      return 'It is due later than that (then give a longer `limit`), or its task is not defined on this executor.'
    case 'running':
      return 'Its function has not ended: let it end, or give the task a shorter `timeoutMs`.'
    case 'waiting_for_children_tasks':
    case 'waiting_for_finalize_task':
      return 'What it waits for has not finished: look at the executions below it.'
  }
}
