/** The fields of a row as columns: which there are, and how a value is kept in them. */

import { DurableExecutionError } from '../../base/errors.ts'
import { type DurableTaskRetryOptions, type ExecutionRow } from '../../machine/execution.ts'
import { fromSqlText, toSqlText } from './text.ts'

/** What a database keeps in a column: times are whole milliseconds, flags 0 or 1, lists and objects JSON. */
export type SqlValue = string | number | null

/** One field of a row. */
export type SqlField = {
  readonly name: keyof ExecutionRow
  readonly columns: ReadonlyArray<string>
  /** Appends a value for each column; `undefined` is kept as null. */
  readonly write: (values: Array<SqlValue>, value: unknown) => void
  /** The value whose first column stands at `at`; `undefined` when the field is absent. */
  readonly read: (values: ReadonlyArray<SqlValue>, at: number) => unknown
}

/** Every field, in the order of the row's type. */
export const SQL_FIELDS: ReadonlyArray<SqlField> = [
  ancestor('rootTask', ['root_task_id', 'root_execution_id']),
  ancestor('parentTask', ['parent_task_id', 'parent_execution_id', 'is_finalize_task']),
  text('taskId', 'task_id'),
  text('executionId', 'execution_id'),
  retryOptions('retryOptions', 'retry_options'),
  number('sleepMsBeforeRun', 'sleep_ms_before_run'),
  number('timeoutMs', 'timeout_ms'),
  text('runInput', 'run_input'),
  text('runOutput', 'run_output'),
  text('output', 'output'),
  number('childrenTasksCompletedCount', 'children_tasks_completed_count'),
  json('childrenTasks', 'children_tasks'),
  json('childrenTasksErrors', 'children_tasks_errors'),
  json('finalizeTask', 'finalize_task'),
  json('finalizeTaskError', 'finalize_task_error'),
  json('error', 'error'),
  text('status', 'status'),
  flag('isClosed', 'is_closed'),
  flag('needsPromiseCancellation', 'needs_promise_cancellation'),
  number('retryAttempts', 'retry_attempts'),
  time('startAt', 'start_at'),
  time('startedAt', 'started_at'),
  time('finishedAt', 'finished_at'),
  time('expiresAt', 'expires_at'),
  time('createdAt', 'created_at'),
  time('updatedAt', 'updated_at'),
  text('leaseId', 'lease_id'),
  text('executorId', 'executor_id'),
  number('losses', 'losses'),
  number('depth', 'depth'),
  number('childIndex', 'child_index'),
  number('childrenTasksCount', 'children_tasks_count'),
]

/** A moment as it is kept. A date that is none would come back as an absent one, so it is refused. */
export function toSqlTime(moment: Date): number {
  return checkedNumber(moment.getTime(), 'a date')
}

function checkedNumber(value: number, what: string): number {
  if (!Number.isFinite(value)) {
    throw new DurableExecutionError(`A task execution cannot be stored: ${what} is no finite number`, false)
  }
  return value
}

type Ancestor = { taskId: string; executionId: string; isFinalizeTask?: boolean }

function ancestor(name: 'rootTask' | 'parentTask', columns: ReadonlyArray<string>): SqlField {
  const hasFlag = columns.length === 3
  return {
    name,
    columns,
    write: (values, value) => {
      const task = value as Ancestor | undefined
      values.push(task === undefined ? null : toSqlText(task.taskId))
      values.push(task === undefined ? null : toSqlText(task.executionId))
      if (hasFlag) {
        values.push(task?.isFinalizeTask === undefined ? null : Number(task.isFinalizeTask))
      }
    },
    read: (values, at) => {
      const taskId = values[at]
      if (typeof taskId !== 'string') {
        return undefined
      }
      const task: Ancestor = {
        taskId: fromSqlText(taskId),
        executionId: fromSqlText(values[at + 1] as string),
      }
      const isFinalizeTask = hasFlag ? (values[at + 2] ?? null) : null
      if (isFinalizeTask !== null) {
        task.isFinalizeTask = isFinalizeTask === 1
      }
      return task
    },
  }
}

function text(name: keyof ExecutionRow, column: string): SqlField {
  return single(
    name,
    column,
    (value) => toSqlText(value as string),
    (kept) => fromSqlText(kept as string),
  )
}

function json(name: keyof ExecutionRow, column: string): SqlField {
  return single(
    name,
    column,
    (value) => JSON.stringify(value),
    (kept) => JSON.parse(kept as string) as unknown,
  )
}

function retryOptions(name: 'retryOptions', column: string): SqlField {
  return single(
    name,
    column,
    (value) => {
      // JSON has no Infinity and no NaN, and would keep a null instead.
      for (const option of Object.values(value as DurableTaskRetryOptions)) {
        checkedNumber(option ?? 0, name)
      }
      return JSON.stringify(value)
    },
    (kept) => JSON.parse(kept as string) as unknown,
  )
}

function number(name: keyof ExecutionRow, column: string): SqlField {
  return single(
    name,
    column,
    (value) => checkedNumber(value as number, name),
    (kept) => kept,
  )
}

function flag(name: keyof ExecutionRow, column: string): SqlField {
  return single(
    name,
    column,
    (value) => (value === true ? 1 : 0),
    (kept) => kept === 1,
  )
}

function time(name: keyof ExecutionRow, column: string): SqlField {
  return single(
    name,
    column,
    (value) => toSqlTime(value as Date),
    (kept) => new Date(kept as number),
  )
}

function single(
  name: keyof ExecutionRow,
  column: string,
  toKept: (value: unknown) => SqlValue,
  fromKept: (kept: SqlValue) => unknown,
): SqlField {
  return {
    name,
    columns: [column],
    write: (values, value) => {
      values.push(value === undefined ? null : toKept(value))
    },
    read: (values, at) => {
      const kept = values[at] ?? null
      return kept === null ? undefined : fromKept(kept)
    },
  }
}
