/** The fields of a row as columns: which there are, and how a value is kept in them. */

import { DurableExecutionError } from '../../base/errors.ts'
import { type DurableTaskRetryOptions, type ExecutionRow } from '../../machine/execution.ts'
import { fromSqlText, toSqlText } from './text.ts'

/** What a database keeps in a column: times are whole milliseconds, flags 0 or 1, lists and objects JSON. */
export type SqlValue = string | number | null

/** One column of the table. */
export type SqlColumn = {
  readonly name: string
  /** The field that is kept in it, alone or beside others. */
  readonly field: keyof ExecutionRow
  /** The value as it is kept; never asked about `undefined`, which is kept as null. */
  readonly toKept: (value: unknown) => SqlValue
}

/** One field of a row. */
export type SqlField = {
  readonly name: keyof ExecutionRow
  readonly columns: ReadonlyArray<SqlColumn>
  /** The value whose first column stands at `at`; `undefined` when the field is absent. */
  readonly read: (values: ReadonlyArray<SqlValue>, at: number) => unknown
}

/** What grows with a task's own payloads. */
const HEAVY_FIELDS: ReadonlyArray<SqlField> = [
  text('runInput', 'run_input'),
  text('runOutput', 'run_output'),
  text('output', 'output'),
  json('childrenTasks', 'children_tasks'),
]

/** What every claim sets, to values that it knows. */
const CLAIM_FIELDS: ReadonlyArray<SqlField> = [
  text('status', 'status'),
  time('expiresAt', 'expires_at'),
  time('updatedAt', 'updated_at'),
  text('leaseId', 'lease_id'),
  text('executorId', 'executor_id'),
]

/** Every field: what a claim sets at the end, what is heavy before that. */
export const SQL_FIELDS: ReadonlyArray<SqlField> = [
  ancestor('rootTask', ['root_task_id', 'root_execution_id']),
  ancestor('parentTask', ['parent_task_id', 'parent_execution_id', 'is_finalize_task']),
  text('taskId', 'task_id'),
  text('executionId', 'execution_id'),
  retryOptions('retryOptions', 'retry_options'),
  number('sleepMsBeforeRun', 'sleep_ms_before_run'),
  number('timeoutMs', 'timeout_ms'),
  number('childrenTasksCompletedCount', 'children_tasks_completed_count'),
  json('childrenTasksErrors', 'children_tasks_errors'),
  json('finalizeTask', 'finalize_task'),
  json('finalizeTaskError', 'finalize_task_error'),
  json('error', 'error'),
  flag('isClosed', 'is_closed'),
  flag('needsPromiseCancellation', 'needs_promise_cancellation'),
  number('retryAttempts', 'retry_attempts'),
  time('startAt', 'start_at'),
  time('startedAt', 'started_at'),
  time('finishedAt', 'finished_at'),
  time('createdAt', 'created_at'),
  number('losses', 'losses'),
  number('depth', 'depth'),
  number('childIndex', 'child_index'),
  number('childrenTasksCount', 'children_tasks_count'),
  number('childrenTasksFailedCount', 'children_tasks_failed_count'),
  json('suspendedFor', 'suspended_for'),
  number('priority', 'priority'),
  json('tags', 'tags'),
  time('deadlineAt', 'deadline_at'),
  flag('hasCompensations', 'has_compensations'),
  ...HEAVY_FIELDS,
  ...CLAIM_FIELDS,
]

/** Every column, in the order of the fields. */
export const SQL_COLUMNS: ReadonlyArray<SqlColumn> = SQL_FIELDS.flatMap(({ columns }) => columns)

/** The columns that are left out where a row is read without its heavy fields. */
export const HEAVY_COLUMNS: ReadonlySet<SqlColumn> = new Set(HEAVY_FIELDS.flatMap(({ columns }) => columns))

/** The columns that a claim need not read, since it sets them. */
export const CLAIM_COLUMNS: ReadonlyArray<SqlColumn> = CLAIM_FIELDS.flatMap(({ columns }) => columns)

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
  const parts: Array<(task: Ancestor) => SqlValue> = [
    (task) => toSqlText(task.taskId),
    (task) => toSqlText(task.executionId),
    (task) => (task.isFinalizeTask === undefined ? null : Number(task.isFinalizeTask)),
  ]
  return {
    name,
    columns: columns.map((column, index) => ({
      name: column,
      field: name,
      toKept: (value) => parts[index]?.(value as Ancestor) ?? null,
    })),
    read: (values, at) => readAncestor(values, at, columns.length === 3),
  }
}

/** The ancestor whose first column stands at `at`. */
export function readAncestor(
  values: ReadonlyArray<SqlValue>,
  at: number,
  hasFlag: boolean,
): Ancestor | undefined {
  const taskId = values[at]
  if (typeof taskId !== 'string') {
    return undefined
  }
  const task: Ancestor = { taskId: fromSqlText(taskId), executionId: fromSqlText(values[at + 1] as string) }
  const isFinalizeTask = hasFlag ? (values[at + 2] ?? null) : null
  if (isFinalizeTask !== null) {
    task.isFinalizeTask = isFinalizeTask === 1
  }
  return task
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
  return single(name, column, (value) => JSON.stringify(value), readJson)
}

/**
 * The list or object that was kept. What is none, as in a damaged file, comes as if it had not been kept: one row must
 * not fail the read of others, and whoever needs it says what the row lacks.
 */
export function readJson(kept: unknown): unknown {
  try {
    const read: unknown = JSON.parse(String(kept))
    return typeof read === 'object' && read !== null ? read : undefined
  } catch {
    return undefined
  }
}

/** The options that were kept; where they cannot be read, some that no task has. */
export function readRetryOptions(kept: unknown): DurableTaskRetryOptions {
  return (readJson(kept) as DurableTaskRetryOptions | undefined) ?? { maxAttempts: -1 }
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
    readRetryOptions,
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
    columns: [{ name: column, field: name, toKept }],
    read: (values, at) => {
      const kept = values[at] ?? null
      return kept === null ? undefined : fromKept(kept)
    },
  }
}
