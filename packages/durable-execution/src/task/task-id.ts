/** What a task may be called. */

import { DurableExecutionError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'

/**
 * Checks a task id: 1 to 255 letters, digits and underscores.
 *
 * @throws A {@link DurableExecutionError}, not retryable, that says what is wrong.
 *
 * @category Task
 */
export function validateTaskId(id: string): void {
  if (typeof id !== 'string' || id.length === 0) {
    throw new DurableExecutionError('Id cannot be empty', false)
  }
  if (id.length > LIMITS.taskIdLength) {
    throw new DurableExecutionError(`Id cannot be longer than ${LIMITS.taskIdLength} characters`, false)
  }
  if (!/^\w+$/.test(id)) {
    throw new DurableExecutionError('Id can only contain alphanumeric characters and underscores', false)
  }
}

/** Refuses what is no task: plain JavaScript may pass anything, a name instead of the task, or nothing. */
export function checkTask(task: { id: string } | null | undefined): void {
  if (typeof task !== 'object' || task === null || typeof task.id !== 'string') {
    throw new DurableExecutionError(
      'A task is what executor.task returned, or an object with its id: { id: string }',
      false,
    )
  }
}
