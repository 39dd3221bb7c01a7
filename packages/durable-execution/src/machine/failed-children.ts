/** Children that ended badly: how many they are, and what their parent's row says of them. */

import { type Millis } from '../base/clock.ts'
import { cutMessage, type DurableExecutionErrorStorageObject } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { finish } from './attempt.ts'
import { deadlineExceededWaitingFor } from './deadline.ts'
import {
  type DurableChildTaskExecutionErrorStorageObject,
  type ExecutionUpdate,
  type LeanRow,
} from './execution.ts'
import { type ChildFailure, type FanIn, isOverWhenEnded, wasCancelledByParent } from './parent.ts'
import { parentErrorOf } from './parent-error.ts'

/**
 * How many children of a waiting parent ended badly and are closed; undefined where they must be counted. Each is in the list of
 * errors until that is full, so the count of its own is needed only then.
 */
export function failedCount(parent: LeanRow): number | undefined {
  const listed = parent.childrenTasksErrors?.length ?? 0
  return parent.childrenTasksFailedCount ?? (listed < LIMITS.childrenErrorsKept ? listed : undefined)
}

/** How the row ended badly, as those are told who put together what became of it; undefined if it did not. */
export function failureOf(child: Partial<LeanRow>): ChildFailure | undefined {
  const { status } = child
  switch (status) {
    case 'failed':
    case 'timed_out':
    case 'children_tasks_failed':
    case 'finalize_task_failed':
    case 'cancelled':
      return { status, error: errorOf(child) }
    default:
      return undefined
  }
}

/** A child of a waiting parent ended badly: its error is kept, if there is room for it. */
export function noteFailure(parent: LeanRow, child: LeanRow, index: number, now: Millis): ExecutionUpdate {
  const errors = parent.childrenTasksErrors ?? []
  const update: ExecutionUpdate = { updatedAt: new Date(now) }
  if (errors.length < LIMITS.childrenErrorsKept) {
    update.childrenTasksErrors = [...errors, entryOf(child, index)]
  }
  return update
}

/** What becomes of a waiting parent whose deadline had passed when the child ended badly; undefined if it had not. */
export function endedByDeadline(parent: LeanRow, child: LeanRow, now: Millis): ExecutionUpdate | undefined {
  if (!isOverWhenEnded(parent, child, now)) {
    return undefined
  }
  const what = `child task with id ${child.executionId}`
  return {
    ...finish(parent, 'timed_out', now),
    error: deadlineExceededWaitingFor(what, parentErrorOf(child)),
  }
}

/** A child ended badly after its parent did: by itself, then it is added to the list; or since it was cancelled for that. */
export function noteLateFailure(
  parent: LeanRow,
  child: LeanRow,
  index: number,
  now: Millis,
): ExecutionUpdate | null {
  const errors = parent.childrenTasksErrors ?? []
  const isToBeAdded =
    parent.status === 'children_tasks_failed' &&
    !wasCancelledByParent(child) &&
    errors.length < LIMITS.childrenErrorsKept &&
    !errors.some((error) => error.executionId === child.executionId)
  return isToBeAdded
    ? { childrenTasksErrors: [...errors, entryOf(child, index)], updatedAt: new Date(now) }
    : null
}

/** What the children left cannot be put together: whose output is at fault is named before those that ended badly. */
export function fanInFailed(
  parent: LeanRow,
  facts: FanIn,
  failure: { error: DurableExecutionErrorStorageObject; childIndex?: number },
  now: Millis,
): ExecutionUpdate {
  const end = finish(parent, 'children_tasks_failed', now)
  const errors = parent.childrenTasksErrors ?? []
  const index = failure.childIndex
  const child = index === undefined ? undefined : facts.children[index]
  if (index === undefined || child === undefined) {
    return { ...end, error: failure.error, childrenTasksErrors: errors }
  }
  const { taskId, executionId } = child
  const entry = { index, taskId, executionId, error: failure.error }
  return { ...end, childrenTasksErrors: [entry, ...errors].slice(0, LIMITS.childrenErrorsKept) }
}

function entryOf(child: LeanRow, index: number): DurableChildTaskExecutionErrorStorageObject {
  return { index, taskId: child.taskId, executionId: child.executionId, error: errorOf(child) }
}

function errorOf(child: Partial<LeanRow>): DurableExecutionErrorStorageObject {
  const reason = parentErrorOf(child)
  return { ...reason, message: cutMessage(reason.message) }
}
