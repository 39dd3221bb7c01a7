/** Rows as callers get them: copies, with only the fields that a row has. */

import { Moments } from '../../base/moments.ts'
import { type Millis } from '../../base/clock.ts'
import { type ExecutionRow, type LeanRow, newRow } from '../../machine/execution.ts'
import { copyOf } from './copies.ts'
import { type KeptRow } from './kept-row.ts'
import { ROW_FIELDS } from './row-fields.ts'

/** Copies a row for a caller: only the fields that it has. Rows of one answer may share `moments`. */
export function releaseRow(row: KeptRow, moments: Moments = new Moments()): ExecutionRow {
  const copy = requiredFields(row, moments) as ExecutionRow
  copy.runInput = row.runInput
  addLightFields(copy, row, moments)
  set(copy, 'runOutput', row.runOutput)
  set(copy, 'output', row.output)
  set(copy, 'childrenTasks', copyOf(row.childrenTasks))
  return copy
}

/** Copies a row for a caller without its heavy fields, and without the cost of copying them. */
export function releaseLeanRow(row: KeptRow, moments: Moments): LeanRow {
  const copy = requiredFields(row, moments)
  addLightFields(copy, row, moments)
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

function requiredFields(row: KeptRow, moments: Moments): LeanRow {
  const copy = newRow()
  copy.taskId = row.taskId
  copy.executionId = row.executionId
  copy.retryOptions = copyOf(row.retryOptions)
  copy.sleepMsBeforeRun = row.sleepMsBeforeRun
  copy.timeoutMs = row.timeoutMs
  copy.childrenTasksCompletedCount = row.childrenTasksCompletedCount
  copy.status = row.status
  copy.isClosed = row.isClosed
  copy.needsPromiseCancellation = row.needsPromiseCancellation
  copy.retryAttempts = row.retryAttempts
  copy.startAt = moments.of(row.startAt)
  copy.createdAt = moments.of(row.createdAt)
  copy.updatedAt = moments.of(row.updatedAt)
  return copy
}

function addLightFields(copy: LeanRow, row: KeptRow, moments: Moments): void {
  set(copy, 'rootTask', copyOf(row.rootTask))
  set(copy, 'parentTask', copyOf(row.parentTask))
  set(copy, 'childrenTasksErrors', copyOf(row.childrenTasksErrors))
  set(copy, 'finalizeTask', copyOf(row.finalizeTask))
  set(copy, 'finalizeTaskError', copyOf(row.finalizeTaskError))
  set(copy, 'error', copyOf(row.error))
  set(copy, 'startedAt', row.startedAt === undefined ? undefined : moments.of(row.startedAt))
  set(copy, 'finishedAt', row.finishedAt === undefined ? undefined : moments.of(row.finishedAt))
  set(copy, 'expiresAt', row.expiresAt === undefined ? undefined : moments.of(row.expiresAt))
  set(copy, 'leaseId', row.leaseId)
  set(copy, 'executorId', row.executorId)
  set(copy, 'losses', row.losses)
  set(copy, 'depth', row.depth)
  set(copy, 'childIndex', row.childIndex)
  set(copy, 'childrenTasksCount', row.childrenTasksCount)
  set(copy, 'childrenTasksFailedCount', row.childrenTasksFailedCount)
  set(copy, 'suspendedFor', copyOf(row.suspendedFor))
  set(copy, 'priority', row.priority)
  set(copy, 'tags', copyOf(row.tags))
  set(copy, 'hasCompensations', row.hasCompensations)
  set(copy, 'deadlineAt', row.deadlineAt === undefined ? undefined : moments.of(row.deadlineAt))
}

/** Sets the field if there is a value: a field that a row does not have is absent, not `undefined`. */
function set<Name extends keyof LeanRow>(copy: LeanRow, name: Name, value: LeanRow[Name]): void {
  if (value !== undefined) {
    copy[name] = value
  }
}
