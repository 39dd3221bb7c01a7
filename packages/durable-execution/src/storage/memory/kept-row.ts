/** A row as memory keeps it, and the copies that go in and out: the store and its callers share nothing. */

import { type Millis } from '../../base/clock.ts'
import { DurableExecutionError } from '../../base/errors.ts'
import { type ExecutionRow, type ExecutionUpdate, type LeanRow } from '../../machine/execution.ts'
import { ROW_FIELDS } from './row-fields.ts'

/** A field as it is kept: moments are numbers, which are smaller and quicker to compare. */
type Kept<T> = T extends Date ? Millis : T

/**
 * A row of the store. Every field is there, if only as `undefined`: objects of one shape are several
 * times faster to copy. It is never changed, only replaced, so rows may share what is in them.
 */
export type KeptRow = {
  readonly [Name in keyof Required<ExecutionRow>]: Kept<ExecutionRow[Name]>
}

/** What an update sets: names, and at the same places the values, where `undefined` clears the field. */
export type KeptChange = { readonly names: ReadonlyArray<string>; readonly values: ReadonlyArray<unknown> }

/**
 * Copies a caller's row.
 *
 * @throws {DurableExecutionError} if it holds an invalid date, which could be neither sorted nor saved.
 */
export function keepRow(row: ExecutionRow): KeptRow {
  return {
    rootTask: copyOf(row.rootTask),
    parentTask: copyOf(row.parentTask),
    taskId: row.taskId,
    executionId: row.executionId,
    retryOptions: copyOf(row.retryOptions),
    sleepMsBeforeRun: row.sleepMsBeforeRun,
    timeoutMs: row.timeoutMs,
    runInput: row.runInput,
    runOutput: row.runOutput,
    output: row.output,
    childrenTasksCompletedCount: row.childrenTasksCompletedCount,
    childrenTasks: copyOf(row.childrenTasks),
    childrenTasksErrors: copyOf(row.childrenTasksErrors),
    finalizeTask: copyOf(row.finalizeTask),
    finalizeTaskError: copyOf(row.finalizeTaskError),
    error: copyOf(row.error),
    status: row.status,
    isClosed: row.isClosed,
    needsPromiseCancellation: row.needsPromiseCancellation,
    retryAttempts: row.retryAttempts,
    startAt: millisOf(row.startAt),
    startedAt: row.startedAt && millisOf(row.startedAt),
    finishedAt: row.finishedAt && millisOf(row.finishedAt),
    expiresAt: row.expiresAt && millisOf(row.expiresAt),
    createdAt: millisOf(row.createdAt),
    updatedAt: millisOf(row.updatedAt),
    leaseId: row.leaseId,
    executorId: row.executorId,
    losses: row.losses,
    depth: row.depth,
    childIndex: row.childIndex,
    childrenTasksCount: row.childrenTasksCount,
  }
}

/**
 * Copies a caller's update.
 *
 * @throws {DurableExecutionError} if it holds an invalid date.
 */
export function keepUpdate(update: ExecutionUpdate): KeptChange {
  const names: Array<string> = []
  const values: Array<unknown> = []
  let name: keyof ExecutionUpdate
  for (name in update) {
    const value = update[name]
    if (value === undefined || name === 'unsetError' || name === 'unsetExpiresAt') {
      continue
    }
    names.push(name)
    values.push(value instanceof Date ? millisOf(value) : copyOf(value))
  }
  if (update.unsetError === true) {
    names.push('error')
    values.push(undefined)
  }
  if (update.unsetExpiresAt === true) {
    names.push('expiresAt')
    values.push(undefined)
  }
  return { names, values }
}

/** The row as the change leaves it. */
export function changeRow(row: KeptRow, { names, values }: KeptChange): KeptRow {
  const next: Record<string, unknown> = { ...row }
  for (let place = 0; place < names.length; place += 1) {
    next[names[place] as string] = values[place]
  }
  return next as KeptRow
}

/** Copies a row for a caller: only the fields that it has. */
export function releaseRow(row: KeptRow): ExecutionRow {
  const copy = { ...requiredFields(row), runInput: row.runInput }
  addLightFields(copy, row)
  set(copy, 'runOutput', row.runOutput)
  set(copy, 'output', row.output)
  set(copy, 'childrenTasks', copyOf(row.childrenTasks))
  return copy
}

/** Copies a row for a caller without its heavy fields, and without the cost of copying them. */
export function releaseLeanRow(row: KeptRow): LeanRow {
  const copy = requiredFields(row)
  addLightFields(copy, row)
  return copy
}

/** Copies a few fields of a row for a caller; `executionId` is always among them. */
export function releaseFields(
  row: KeptRow,
  names: Iterable<keyof ExecutionRow>,
): Pick<ExecutionRow, 'executionId'> & Partial<ExecutionRow> {
  const copy: Record<string, unknown> = {}
  for (const name of names) {
    const value: unknown = row[name]
    if (value !== undefined) {
      copy[name] = ROW_FIELDS[name].kind === 'moment' ? new Date(value as Millis) : copyOf(value)
    }
  }
  return { ...copy, executionId: row.executionId }
}

function requiredFields(row: KeptRow): LeanRow {
  return {
    taskId: row.taskId,
    executionId: row.executionId,
    retryOptions: copyOf(row.retryOptions),
    sleepMsBeforeRun: row.sleepMsBeforeRun,
    timeoutMs: row.timeoutMs,
    childrenTasksCompletedCount: row.childrenTasksCompletedCount,
    status: row.status,
    isClosed: row.isClosed,
    needsPromiseCancellation: row.needsPromiseCancellation,
    retryAttempts: row.retryAttempts,
    startAt: new Date(row.startAt),
    createdAt: new Date(row.createdAt),
    updatedAt: new Date(row.updatedAt),
  }
}

function addLightFields(copy: LeanRow, row: KeptRow): void {
  set(copy, 'rootTask', copyOf(row.rootTask))
  set(copy, 'parentTask', copyOf(row.parentTask))
  set(copy, 'childrenTasksErrors', copyOf(row.childrenTasksErrors))
  set(copy, 'finalizeTask', copyOf(row.finalizeTask))
  set(copy, 'finalizeTaskError', copyOf(row.finalizeTaskError))
  set(copy, 'error', copyOf(row.error))
  set(copy, 'startedAt', dateOf(row.startedAt))
  set(copy, 'finishedAt', dateOf(row.finishedAt))
  set(copy, 'expiresAt', dateOf(row.expiresAt))
  set(copy, 'leaseId', row.leaseId)
  set(copy, 'executorId', row.executorId)
  set(copy, 'losses', row.losses)
  set(copy, 'depth', row.depth)
  set(copy, 'childIndex', row.childIndex)
  set(copy, 'childrenTasksCount', row.childrenTasksCount)
}

/** Sets the field if there is a value: a field that a row does not have is absent, not `undefined`. */
function set<Name extends keyof LeanRow>(copy: LeanRow, name: Name, value: LeanRow[Name]): void {
  if (value !== undefined) {
    copy[name] = value
  }
}

function dateOf(millis: Millis | undefined): Date | undefined {
  return millis === undefined ? undefined : new Date(millis)
}

function millisOf(date: Date): Millis {
  const millis = date.getTime()
  if (Number.isNaN(millis)) {
    throw new DurableExecutionError('An invalid date cannot be stored', false)
  }
  return millis
}

/** A copy of an object or list, all the way down, without fields that are `undefined`; anything else as it is. */
function copyOf<T>(value: T): T {
  if (typeof value !== 'object' || value === null) {
    return value
  }
  if (Array.isArray(value)) {
    return value.map(copyOf) as T
  }
  const copy = { ...value } as Record<string, unknown>
  for (const [name, field] of Object.entries(copy)) {
    if (field === undefined) {
      delete copy[name]
    } else if (typeof field === 'object') {
      copy[name] = copyOf(field)
    }
  }
  return copy as T
}
