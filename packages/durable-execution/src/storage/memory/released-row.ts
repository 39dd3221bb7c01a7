/** Rows as callers get them: copies, with only the fields that a row has. */

import { Moments } from '../../base/moments.ts'
import { type Millis } from '../../base/clock.ts'
import { type ExecutionRow, type LeanRow, newRow } from '../../machine/execution.ts'
import { copyOf, createSharedCopy } from './copies.ts'
import { type KeptRow } from './kept-row.ts'
import { ROW_FIELDS } from './row-fields.ts'

/** What the rows of one answer share. */
class Answer {
  readonly moments = new Moments()
  readonly copyRetryOptions = createSharedCopy()
  readonly copyRootTask = createSharedCopy()
  readonly copyParentTask = createSharedCopy()
}

/** Copies rows for a caller: only the fields that each has. */
export function releaseRows(rows: ReadonlyArray<KeptRow>): Array<ExecutionRow> {
  const answer = new Answer()
  return rows.map((row) => {
    const copy = requiredFields(row, answer) as ExecutionRow
    copy.runInput = row.runInput
    addLightFields(copy, row, answer)
    set(copy, 'runOutput', row.runOutput)
    set(copy, 'output', row.output)
    set(copy, 'childrenTasks', copyOf(row.rare.childrenTasks))
    return copy
  })
}

/** Copies rows for a caller without their heavy fields, and without the cost of copying them. */
export function releaseLeanRows(rows: ReadonlyArray<KeptRow>): Array<LeanRow> {
  const answer = new Answer()
  return rows.map((row) => {
    const copy = requiredFields(row, answer)
    addLightFields(copy, row, answer)
    return copy
  })
}

/** Copies a few fields of a row for a caller; `executionId` is always among them. */
export function releaseFields(
  row: KeptRow,
  names: Iterable<keyof ExecutionRow>,
): Pick<ExecutionRow, 'executionId'> & Partial<ExecutionRow> {
  const copy: Record<string, unknown> = {}
  for (const name of names) {
    const value = fieldOf(row, name)
    if (value !== undefined) {
      copy[name] = ROW_FIELDS[name].kind === 'moment' ? new Date(value as Millis) : copyOf(value)
    }
  }
  return { ...copy, executionId: row.executionId }
}

function fieldOf(row: KeptRow, name: keyof ExecutionRow): unknown {
  const part: Record<string, unknown> = name in row ? row : name in row.fixed ? row.fixed : row.rare
  return part[name]
}

function requiredFields(row: KeptRow, { moments, copyRetryOptions }: Answer): LeanRow {
  const { fixed, rare } = row
  const copy = newRow()
  copy.taskId = fixed.taskId
  copy.executionId = row.executionId
  copy.retryOptions = copyRetryOptions(fixed.retryOptions)
  copy.sleepMsBeforeRun = fixed.sleepMsBeforeRun
  copy.timeoutMs = fixed.timeoutMs
  copy.childrenTasksCompletedCount = rare.childrenTasksCompletedCount
  copy.status = row.status
  copy.isClosed = row.isClosed
  copy.needsPromiseCancellation = row.needsPromiseCancellation
  copy.retryAttempts = row.retryAttempts
  copy.startAt = moments.of(row.startAt)
  copy.createdAt = moments.of(fixed.createdAt)
  copy.updatedAt = moments.of(row.updatedAt)
  return copy
}

function addLightFields(
  copy: LeanRow,
  row: KeptRow,
  { moments, copyRootTask, copyParentTask }: Answer,
): void {
  const { fixed, rare } = row
  set(copy, 'rootTask', copyRootTask(fixed.rootTask))
  set(copy, 'parentTask', copyParentTask(fixed.parentTask))
  set(copy, 'childrenTasksErrors', copyOf(rare.childrenTasksErrors))
  set(copy, 'finalizeTask', copyOf(rare.finalizeTask))
  set(copy, 'finalizeTaskError', copyOf(rare.finalizeTaskError))
  set(copy, 'error', copyOf(rare.error))
  set(copy, 'startedAt', row.startedAt === undefined ? undefined : moments.of(row.startedAt))
  set(copy, 'finishedAt', row.finishedAt === undefined ? undefined : moments.of(row.finishedAt))
  set(copy, 'expiresAt', row.expiresAt === undefined ? undefined : moments.of(row.expiresAt))
  set(copy, 'leaseId', row.leaseId)
  set(copy, 'executorId', row.executorId)
  set(copy, 'losses', row.losses)
  set(copy, 'depth', fixed.depth)
  set(copy, 'childIndex', row.childIndex)
  set(copy, 'childrenTasksCount', rare.childrenTasksCount)
  set(copy, 'childrenTasksFailedCount', rare.childrenTasksFailedCount)
  set(copy, 'suspendedFor', copyOf(rare.suspendedFor))
  set(copy, 'priority', fixed.priority)
  set(copy, 'tags', copyOf(fixed.tags))
  set(copy, 'hasCompensations', rare.hasCompensations)
  set(copy, 'deadlineAt', fixed.deadlineAt === undefined ? undefined : moments.of(fixed.deadlineAt))
}

/** Sets the field if there is a value: a field that a row does not have is absent, not `undefined`. */
function set<Name extends keyof LeanRow>(copy: LeanRow, name: Name, value: LeanRow[Name]): void {
  if (value !== undefined) {
    copy[name] = value
  }
}
