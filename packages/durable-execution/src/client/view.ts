/** Turns a row into what users see of it: inputs and outputs are values, and nothing is shared with the row. */

import { DurableExecutionError, fromErrorStorageObject } from '../base/errors.ts'
import { type Serializer, WrappedSerializer } from '../base/serializer.ts'
import {
  type DurableChildTaskExecution,
  type DurableTaskExecutionStorageObject,
  type ExecutionRow,
} from '../machine/execution.ts'
import { compensationId, idPrefix } from '../machine/records.ts'
import {
  type DurableChildTaskExecutionError,
  type DurableTaskCancelledExecution,
  type DurableTaskExecution,
  type DurableTaskExecutionCommon,
  type DurableTaskExecutionWithChildren,
  type DurableTaskSuspension,
} from './task-execution.ts'

export type * from './task-execution.ts'

/**
 * Convert a durable task execution storage object to a durable task execution.
 *
 * @param execution - The row; it is not changed, and nothing of it is shared with the view.
 * @param serializer - Reads the row's input and outputs.
 * @throws A {@link DurableExecutionError}, not retryable: `Unknown execution status: X`, or what the row
 * lacks that its status needs, or `Error deserializing value: …`.
 *
 * @category Storage
 */
export function convertTaskExecutionStorageObjectToTaskExecution<TOutput>(
  execution: DurableTaskExecutionStorageObject,
  serializer: Serializer,
): DurableTaskExecution<TOutput> {
  return toView(execution, new WrappedSerializer(serializer))
}

function toView<TOutput>(row: ExecutionRow, serializer: Serializer): DurableTaskExecution<TOutput> {
  const common = { ...toCommon(row, serializer), ...toCompensation(row) }
  const { status } = row
  switch (status) {
    case 'ready':
      return { ...common, status, ...toLastError(row), startAt: copyDate(row.startAt), ...toSuspension(row) }
    case 'running': {
      const expiresAt = copyDate(needed(row, 'expiresAt'))
      return { ...common, status, ...toLastError(row), ...toStart(row), expiresAt }
    }
    case 'failed':
      return { ...common, status, error: toError(row, 'error'), ...toStart(row), ...toFinish(row) }
    case 'timed_out': {
      const error = toError(row, 'error')
      return { ...common, status, error, ...toStart(row), ...toLeftFamily(row, serializer), ...toFinish(row) }
    }
    case 'waiting_for_children_tasks':
      return { ...common, status, ...toFamily(row, serializer), ...toStart(row) }
    case 'children_tasks_failed': {
      const childrenTasksErrors = toChildrenErrors(row)
      const family = toFamily(row, serializer)
      return { ...common, status, ...family, childrenTasksErrors, ...toStart(row), ...toFinish(row) }
    }
    case 'waiting_for_finalize_task': {
      const finalizeTask = toChild(needed(row, 'finalizeTask'))
      return { ...common, status, ...toFamily(row, serializer), finalizeTask, ...toStart(row) }
    }
    case 'finalize_task_failed': {
      const finalizeTask = toChild(needed(row, 'finalizeTask'))
      const finalizeTaskError = toError(row, 'finalizeTaskError')
      const family = { ...toFamily(row, serializer), finalizeTask, finalizeTaskError }
      return { ...common, status, ...family, ...toStart(row), ...toFinish(row) }
    }
    case 'completed': {
      const output = serializer.deserialize<TOutput>(needed(row, 'output'))
      const family = { ...toFamily(row, serializer), ...toFinalize(row) }
      return { ...common, status, ...family, output, ...toStart(row), ...toFinish(row) }
    }
    case 'cancelled':
      return { ...common, status, ...toCancelled(row, serializer) }
  }
  // Somebody else's row may hold what the types rule out.
  throw new DurableExecutionError(`Unknown execution status: ${String(status)}`, false)
}

function toCommon(row: ExecutionRow, serializer: Serializer): DurableTaskExecutionCommon {
  return {
    ...(isGiven(row.rootTask) ? { rootTask: toChild(row.rootTask) } : {}),
    ...(isGiven(row.parentTask) ? { parentTask: { ...row.parentTask } } : {}),
    taskId: row.taskId,
    executionId: row.executionId,
    retryOptions: { ...row.retryOptions },
    sleepMsBeforeRun: row.sleepMsBeforeRun,
    timeoutMs: row.timeoutMs,
    runInput: serializer.deserialize<unknown>(needed(row, 'runInput')),
    priority: row.priority ?? 0,
    retryAttempts: row.retryAttempts,
    ...(isGiven(row.deadlineAt) ? { deadlineAt: copyDate(row.deadlineAt) } : {}),
    ...(isGiven(row.tags) ? { tags: { ...row.tags } } : {}),
    createdAt: copyDate(row.createdAt),
    updatedAt: copyDate(row.updatedAt),
  }
}

type Cancelled = Omit<DurableTaskCancelledExecution, keyof DurableTaskExecutionCommon | 'status'>

// It may have been cancelled before, during or after its run: what is known depends on that.
function toCancelled(row: ExecutionRow, serializer: Serializer): Cancelled {
  return {
    error: toError(row, 'error'),
    ...(isGiven(row.startedAt) ? { startedAt: copyDate(row.startedAt) } : {}),
    ...toLeftFamily(row, serializer),
    ...toFinish(row),
  }
}

/** What there is of a family that the execution did not wait for until its end. */
function toLeftFamily(
  row: ExecutionRow,
  serializer: Serializer,
): Partial<DurableTaskExecutionWithChildren> & { finalizeTask?: DurableChildTaskExecution } {
  return {
    ...(isGiven(row.runOutput) ? { runOutput: serializer.deserialize<unknown>(row.runOutput) } : {}),
    ...(isGiven(row.childrenTasks) ? { childrenTasks: row.childrenTasks.map(toChild) } : {}),
    ...toFinalize(row),
  }
}

function toFamily(row: ExecutionRow, serializer: Serializer): DurableTaskExecutionWithChildren {
  // Without children there need be no list of them.
  const needsChildren = row.status === 'waiting_for_children_tasks' || row.status === 'children_tasks_failed'
  const childrenTasks = needsChildren ? needed(row, 'childrenTasks') : row.childrenTasks
  return {
    runOutput: serializer.deserialize<unknown>(needed(row, 'runOutput')),
    childrenTasks: isGiven(childrenTasks) ? childrenTasks.map(toChild) : [],
  }
}

function toChildrenErrors(row: ExecutionRow): Array<DurableChildTaskExecutionError> {
  return needed(row, 'childrenTasksErrors').map(({ index, taskId, executionId, error }) => ({
    index,
    taskId,
    executionId,
    error: fromErrorStorageObject(error),
  }))
}

function toFinalize(row: ExecutionRow): { finalizeTask?: DurableChildTaskExecution } {
  return isGiven(row.finalizeTask) ? { finalizeTask: toChild(row.finalizeTask) } : {}
}

function toLastError(row: ExecutionRow): { error?: DurableExecutionError } {
  return isGiven(row.error) ? { error: fromErrorStorageObject(row.error) } : {}
}

/** What undoes what the execution did, once there is such an execution. */
function toCompensation({ taskId, executionId, ...row }: ExecutionRow): {
  compensation?: DurableChildTaskExecution
} {
  return row.hasCompensations === true && row.isClosed && row.status !== 'completed'
    ? { compensation: { taskId, executionId: compensationId(idPrefix(executionId)) } }
    : {}
}

function toSuspension({ suspendedFor }: ExecutionRow): { suspendedFor?: Array<DurableTaskSuspension> } {
  return isGiven(suspendedFor) && suspendedFor.length > 0
    ? {
        suspendedFor: suspendedFor.map((one) => ({
          kind: one.kind,
          name: one.name,
          ...('until' in one && isGiven(one.until) ? { until: new Date(one.until) } : {}),
        })),
      }
    : {}
}

function toError(row: ExecutionRow, field: 'error' | 'finalizeTaskError'): DurableExecutionError {
  return fromErrorStorageObject(needed(row, field))
}

function toStart(row: ExecutionRow): { startedAt: Date } {
  return { startedAt: copyDate(needed(row, 'startedAt')) }
}

function toFinish(row: ExecutionRow): { finishedAt: Date } {
  return { finishedAt: copyDate(needed(row, 'finishedAt')) }
}

function toChild({ taskId, executionId }: DurableChildTaskExecution): DurableChildTaskExecution {
  return { taskId, executionId }
}

function copyDate(date: Date): Date {
  return new Date(date)
}

// A storage may keep an absent field as null.
function isGiven<T>(value: T): value is NonNullable<T> {
  return value !== undefined && value !== null
}

function needed<K extends keyof ExecutionRow>(row: ExecutionRow, field: K): NonNullable<ExecutionRow[K]> {
  const value = row[field]
  if (!isGiven(value)) {
    throw new DurableExecutionError(
      `Execution ${row.executionId} is ${row.status} but has no ${field}: its row is damaged`,
      false,
    )
  }
  return value
}
