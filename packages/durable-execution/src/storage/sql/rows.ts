/** Rows as they are read: lists of columns made into rows. */

import { type DurableExecutionErrorStorageObject } from '../../base/errors.ts'
import { Moments } from '../../base/moments.ts'
import {
  type DurableChildTaskExecution,
  type DurableChildTaskExecutionErrorStorageObject,
  type DurableSuspensionStorageObject,
  type DurableTaskRetryOptions,
  type ExecutionRow,
  type LeanRow,
  newRow,
} from '../../machine/execution.ts'
import {
  CLAIM_COLUMNS,
  readAncestor,
  readJson,
  readRetryOptions,
  SQL_COLUMNS,
  SQL_FIELDS,
  type SqlColumn,
  type SqlField,
  type SqlValue,
} from './fields.ts'
import { fromSqlText } from './text.ts'

/** The columns of a row that is claimed: all but those that the claim sets, which stand at the end. */
export const CLAIMED_COLUMNS: ReadonlyArray<SqlColumn> = SQL_COLUMNS.slice(0, -CLAIM_COLUMNS.length)

const AT = {
  rootTask: at('root_task_id'),
  parentTask: at('parent_task_id'),
  taskId: at('task_id'),
  executionId: at('execution_id'),
  retryOptions: at('retry_options'),
  sleepMsBeforeRun: at('sleep_ms_before_run'),
  timeoutMs: at('timeout_ms'),
  runInput: at('run_input'),
  runOutput: at('run_output'),
  output: at('output'),
  childrenTasksCompletedCount: at('children_tasks_completed_count'),
  childrenTasks: at('children_tasks'),
  childrenTasksErrors: at('children_tasks_errors'),
  finalizeTask: at('finalize_task'),
  finalizeTaskError: at('finalize_task_error'),
  error: at('error'),
  status: at('status'),
  isClosed: at('is_closed'),
  needsPromiseCancellation: at('needs_promise_cancellation'),
  retryAttempts: at('retry_attempts'),
  startAt: at('start_at'),
  startedAt: at('started_at'),
  finishedAt: at('finished_at'),
  expiresAt: at('expires_at'),
  createdAt: at('created_at'),
  updatedAt: at('updated_at'),
  leaseId: at('lease_id'),
  executorId: at('executor_id'),
  losses: at('losses'),
  depth: at('depth'),
  childIndex: at('child_index'),
  childrenTasksCount: at('children_tasks_count'),
  childrenTasksFailedCount: at('children_tasks_failed_count'),
  suspendedFor: at('suspended_for'),
  priority: at('priority'),
  tags: at('tags'),
  deadlineAt: at('deadline_at'),
  hasCompensations: at('has_compensations'),
} as const satisfies Record<keyof ExecutionRow, number>

/**
 * Reads rows of which every column was asked for, in the order of {@link SQL_COLUMNS}. What is null in the
 * database is absent in the row, so a row whose heavy columns were asked for as null comes without them.
 */
export function readRows(rows: ReadonlyArray<ReadonlyArray<SqlValue>>): Array<ExecutionRow> {
  const shared = createShared()
  return rows.map((values) => readRow(values, values, shared))
}

/** What a claim set, as it is kept. */
export type ClaimedCells = { now: number; expiresAt: number; leaseId: string; executorId: string }

/** Reads rows that a claim has changed, of which {@link CLAIMED_COLUMNS} were asked for. */
export function readClaimed(
  rows: ReadonlyArray<ReadonlyArray<SqlValue>>,
  { now, expiresAt, leaseId, executorId }: ClaimedCells,
): Array<ExecutionRow> {
  const shared = createShared()
  const set: Array<SqlValue> = Array<null>(SQL_COLUMNS.length).fill(null)
  set[AT.status] = 'running'
  set[AT.expiresAt] = expiresAt
  set[AT.updatedAt] = now
  set[AT.leaseId] = leaseId
  set[AT.executorId] = executorId
  return rows.map((values) => readRow(values, set, shared))
}

/** The fields asked for, in the order of the columns, `executionId` among them. */
export function fieldsNamed(names: ReadonlyArray<keyof ExecutionRow>): Array<SqlField> {
  const asked = new Set<keyof ExecutionRow>([...names, 'executionId'])
  return SQL_FIELDS.filter((field) => asked.has(field.name))
}

/** Reads a row of which the given fields were asked for. */
export function readFields(
  fields: ReadonlyArray<SqlField>,
  values: ReadonlyArray<SqlValue>,
): Pick<ExecutionRow, 'executionId'> & Partial<ExecutionRow> {
  const row: Record<string, unknown> = {}
  let position = 0
  for (const field of fields) {
    const value = field.read(values, position)
    if (value !== undefined) {
      row[field.name] = value
    }
    position += field.columns.length
  }
  return row as Pick<ExecutionRow, 'executionId'>
}

/** What the rows of one answer have in common. */
type Shared = { moments: Moments; retryOptions: Map<string, DurableTaskRetryOptions> }

function createShared(): Shared {
  return { moments: new Moments(), retryOptions: new Map() }
}

function at(column: string): number {
  return SQL_COLUMNS.findIndex(({ name }) => name === column)
}

// Written out field by field, though it is long: a claimed row takes 0.25 µs like this, and took 0.8 to 1.6
// through a function for each field.
function readRow(
  values: ReadonlyArray<SqlValue>,
  /** Where the columns stand that a claim sets. */
  set: ReadonlyArray<SqlValue>,
  shared: Shared,
): ExecutionRow {
  const { moments } = shared
  const row = newRow()
  row.taskId = fromSqlText(values[AT.taskId] as string)
  row.executionId = fromSqlText(values[AT.executionId] as string)
  row.retryOptions = ownRetryOptions(values[AT.retryOptions] as string, shared.retryOptions)
  row.sleepMsBeforeRun = values[AT.sleepMsBeforeRun] as number
  row.timeoutMs = values[AT.timeoutMs] as number
  row.childrenTasksCompletedCount = values[AT.childrenTasksCompletedCount] as number
  row.status = set[AT.status] as ExecutionRow['status']
  row.isClosed = values[AT.isClosed] === 1
  row.needsPromiseCancellation = values[AT.needsPromiseCancellation] === 1
  row.retryAttempts = values[AT.retryAttempts] as number
  row.startAt = moments.of(values[AT.startAt] as number)
  row.createdAt = moments.of(values[AT.createdAt] as number)
  row.updatedAt = moments.of(set[AT.updatedAt] as number)
  readHeavyFields(row, values)
  readLease(row, values, set, moments)
  readPlaceInTree(row, values)
  readOutcome(row, values)
  readWishes(row, values, moments)
  return row as ExecutionRow
}

// Many rows have the same options, but each has an object of its own.
function ownRetryOptions(kept: string, known: Map<string, DurableTaskRetryOptions>): DurableTaskRetryOptions {
  let options = known.get(kept)
  if (options === undefined) {
    options = readRetryOptions(kept)
    known.set(kept, options)
  }
  return { ...options }
}

function readHeavyFields(row: LeanRow, values: ReadonlyArray<SqlValue>): void {
  const runInput = values[AT.runInput]
  if (typeof runInput === 'string') {
    row.runInput = fromSqlText(runInput)
  }
  const runOutput = values[AT.runOutput]
  if (typeof runOutput === 'string') {
    row.runOutput = fromSqlText(runOutput)
  }
  const output = values[AT.output]
  if (typeof output === 'string') {
    row.output = fromSqlText(output)
  }
  const childrenTasks = readGiven(values[AT.childrenTasks])
  if (childrenTasks !== undefined) {
    row.childrenTasks = childrenTasks as Array<DurableChildTaskExecution>
  }
}

function readLease(
  row: LeanRow,
  values: ReadonlyArray<SqlValue>,
  set: ReadonlyArray<SqlValue>,
  moments: Moments,
): void {
  const startedAt = values[AT.startedAt]
  if (typeof startedAt === 'number') {
    row.startedAt = moments.of(startedAt)
  }
  const expiresAt = set[AT.expiresAt]
  if (typeof expiresAt === 'number') {
    row.expiresAt = moments.of(expiresAt)
  }
  const leaseId = set[AT.leaseId]
  if (typeof leaseId === 'string') {
    row.leaseId = fromSqlText(leaseId)
  }
  const executorId = set[AT.executorId]
  if (typeof executorId === 'string') {
    row.executorId = fromSqlText(executorId)
  }
  const losses = values[AT.losses]
  if (typeof losses === 'number') {
    row.losses = losses
  }
}

function readPlaceInTree(row: LeanRow, values: ReadonlyArray<SqlValue>): void {
  const rootTask = readAncestor(values, AT.rootTask, false)
  if (rootTask !== undefined) {
    row.rootTask = rootTask
  }
  const parentTask = readAncestor(values, AT.parentTask, true)
  if (parentTask !== undefined) {
    row.parentTask = parentTask
  }
  const depth = values[AT.depth]
  if (typeof depth === 'number') {
    row.depth = depth
  }
  const childIndex = values[AT.childIndex]
  if (typeof childIndex === 'number') {
    row.childIndex = childIndex
  }
  const childrenTasksCount = values[AT.childrenTasksCount]
  if (typeof childrenTasksCount === 'number') {
    row.childrenTasksCount = childrenTasksCount
  }
  const childrenTasksFailedCount = values[AT.childrenTasksFailedCount]
  if (typeof childrenTasksFailedCount === 'number') {
    row.childrenTasksFailedCount = childrenTasksFailedCount
  }
}

function readOutcome(row: LeanRow, values: ReadonlyArray<SqlValue>): void {
  const finishedAt = values[AT.finishedAt]
  if (typeof finishedAt === 'number') {
    row.finishedAt = new Date(finishedAt)
  }
  const childrenTasksErrors = readGiven(values[AT.childrenTasksErrors])
  if (childrenTasksErrors !== undefined) {
    row.childrenTasksErrors = childrenTasksErrors as Array<DurableChildTaskExecutionErrorStorageObject>
  }
  const finalizeTask = readGiven(values[AT.finalizeTask])
  if (finalizeTask !== undefined) {
    row.finalizeTask = finalizeTask as DurableChildTaskExecution
  }
  const finalizeTaskError = readGiven(values[AT.finalizeTaskError])
  if (finalizeTaskError !== undefined) {
    row.finalizeTaskError = finalizeTaskError as DurableExecutionErrorStorageObject
  }
  const error = readGiven(values[AT.error])
  if (error !== undefined) {
    row.error = error as DurableExecutionErrorStorageObject
  }
}

function readWishes(row: LeanRow, values: ReadonlyArray<SqlValue>, moments: Moments): void {
  const suspendedFor = readGiven(values[AT.suspendedFor])
  if (suspendedFor !== undefined) {
    row.suspendedFor = suspendedFor as Array<DurableSuspensionStorageObject>
  }
  const priority = values[AT.priority]
  if (typeof priority === 'number') {
    row.priority = priority
  }
  const tags = readGiven(values[AT.tags])
  if (tags !== undefined) {
    row.tags = tags as Record<string, string>
  }
  const deadlineAt = values[AT.deadlineAt]
  if (typeof deadlineAt === 'number') {
    row.deadlineAt = moments.of(deadlineAt)
  }
  const hasCompensations = values[AT.hasCompensations]
  if (typeof hasCompensations === 'number') {
    row.hasCompensations = hasCompensations === 1
  }
}

function readGiven(kept: SqlValue | undefined): unknown {
  return typeof kept === 'string' ? readJson(kept) : undefined
}
