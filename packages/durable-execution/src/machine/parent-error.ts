/** What an execution that ended badly tells its parent. */

import { type DurableExecutionErrorStorageObject } from '../base/errors.ts'
import { type DurableTaskExecutionStorageObject, type LeanRow } from './execution.ts'

/** What of a row its error is made of. */
type Reasons = Partial<Pick<LeanRow, 'error' | 'finalizeTask' | 'finalizeTaskError' | 'childrenTasksErrors'>>

/**
 * What an execution that ended badly reports to its parent: its `error` if it has one, else what
 * became of its finalize task or its children, in words.
 *
 * @category Storage
 */
export function getDurableTaskExecutionStorageObjectParentError(
  execution: DurableTaskExecutionStorageObject,
): DurableExecutionErrorStorageObject {
  return parentErrorOf(execution)
}

/** The same for a row that may have been read without its heavy fields. */
export function parentErrorOf(execution: Reasons): DurableExecutionErrorStorageObject {
  if (execution.error) {
    return execution.error
  }
  const generic = (message: string): DurableExecutionErrorStorageObject => ({
    errorType: 'generic',
    message,
    isRetryable: false,
  })
  if (execution.finalizeTaskError) {
    const id = execution.finalizeTask?.executionId ?? ''
    return generic(`Finalize task with id ${id} failed: ${execution.finalizeTaskError.message}`)
  }
  if (execution.childrenTasksErrors && execution.childrenTasksErrors.length > 0) {
    const lines = execution.childrenTasksErrors.map(
      (child) => `  Child task with id ${child.executionId} failed: ${child.error.message}`,
    )
    return generic(['Children task errors:', ...lines].join('\n'))
  }
  return generic('Unknown error')
}

/** In one line why an execution ended badly; of several children the one that ended it. Trying again would not help. */
export function firstCauseOf(execution: LeanRow): DurableExecutionErrorStorageObject {
  const [first, ...others] = execution.error ? [] : (execution.childrenTasksErrors ?? [])
  const cause = parentErrorOf(execution)
  if (first === undefined) {
    return { ...cause, isRetryable: false }
  }
  const rest = others.length === 0 ? '' : ` (and ${others.length} more)`
  const message = `Child task ${first.taskId} with id ${first.executionId} failed: ${first.error.message}${rest}`
  return { ...cause, message, isRetryable: false }
}
