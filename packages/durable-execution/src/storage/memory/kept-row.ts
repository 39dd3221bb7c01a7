/** A row as memory keeps it, and what an update does to it. */

import { type Millis } from '../../base/clock.ts'
import { type ExecutionRow, type ExecutionUpdate } from '../../machine/execution.ts'
import { copyOf, createSharedCopy, millisOf } from './copies.ts'

/** A field as it is kept: moments are numbers, which are smaller and quicker to compare. */
type Kept<T> = T extends Date ? Millis : T

/**
 * A row of the store. Every field is there, if only as `undefined`: objects of one shape are several
 * times faster to copy. What is in its fields is never changed, only replaced, so rows may share it.
 */
export type KeptRow = {
  -readonly [Name in keyof Required<ExecutionRow>]: Kept<ExecutionRow[Name]>
} & {
  /** The order of insertion; unique. */
  seq: number
  /** Where the row stands among those of its status. */
  place: number
}

/** An update as it is kept, again with every field. What is `undefined` stays as it is. */
export type KeptChange = {
  readonly [Name in keyof Required<ExecutionUpdate>]: Kept<ExecutionUpdate[Name]>
}

/**
 * Copies a caller's rows and numbers them in their order. What several of them have in common is copied once.
 *
 * @throws {DurableExecutionError} if one holds an invalid date, which could be neither sorted nor saved.
 */
export function keepRows(rows: ReadonlyArray<ExecutionRow>, firstSeq: number): Array<KeptRow> {
  const copyRootTask = createSharedCopy()
  const copyParentTask = createSharedCopy()
  const copyRetryOptions = createSharedCopy()
  return rows.map((row, index) => {
    const rootTask = copyRootTask(row.rootTask)
    return {
      rootTask,
      parentTask: row.parentTask === row.rootTask ? rootTask : copyParentTask(row.parentTask),
      taskId: row.taskId,
      executionId: row.executionId,
      retryOptions: copyRetryOptions(row.retryOptions),
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
      childrenTasksFailedCount: row.childrenTasksFailedCount,
      suspendedFor: copyOf(row.suspendedFor),
      priority: row.priority,
      tags: copyOf(row.tags),
      deadlineAt: row.deadlineAt && millisOf(row.deadlineAt),
      hasCompensations: row.hasCompensations,
      seq: firstSeq + index,
      place: 0,
    }
  })
}

/**
 * Copies a caller's update.
 *
 * @throws {DurableExecutionError} if it holds an invalid date.
 */
export function keepUpdate(update: ExecutionUpdate): KeptChange {
  return {
    runOutput: update.runOutput,
    output: update.output,
    childrenTasksCompletedCount: update.childrenTasksCompletedCount,
    childrenTasks: copyOf(update.childrenTasks),
    childrenTasksErrors: copyOf(update.childrenTasksErrors),
    finalizeTask: copyOf(update.finalizeTask),
    finalizeTaskError: copyOf(update.finalizeTaskError),
    error: copyOf(update.error),
    unsetError: update.unsetError,
    status: update.status,
    isClosed: update.isClosed,
    needsPromiseCancellation: update.needsPromiseCancellation,
    retryAttempts: update.retryAttempts,
    startAt: update.startAt && millisOf(update.startAt),
    startedAt: update.startedAt && millisOf(update.startedAt),
    finishedAt: update.finishedAt && millisOf(update.finishedAt),
    expiresAt: update.expiresAt && millisOf(update.expiresAt),
    unsetExpiresAt: update.unsetExpiresAt,
    updatedAt: millisOf(update.updatedAt),
    leaseId: update.leaseId,
    executorId: update.executorId,
    losses: update.losses,
    childrenTasksCount: update.childrenTasksCount,
    childrenTasksFailedCount: update.childrenTasksFailedCount,
    suspendedFor: copyOf(update.suspendedFor),
    hasCompensations: update.hasCompensations,
  }
}

/** Changes the row. */
export function changeRow(row: KeptRow, change: KeptChange): void {
  row.runOutput = change.runOutput ?? row.runOutput
  row.output = change.output ?? row.output
  row.childrenTasksCompletedCount = change.childrenTasksCompletedCount ?? row.childrenTasksCompletedCount
  row.childrenTasks = change.childrenTasks ?? row.childrenTasks
  row.childrenTasksErrors = change.childrenTasksErrors ?? row.childrenTasksErrors
  row.finalizeTask = change.finalizeTask ?? row.finalizeTask
  row.finalizeTaskError = change.finalizeTaskError ?? row.finalizeTaskError
  row.error = change.unsetError === true ? undefined : (change.error ?? row.error)
  row.status = change.status ?? row.status
  row.isClosed = change.isClosed ?? row.isClosed
  row.needsPromiseCancellation = change.needsPromiseCancellation ?? row.needsPromiseCancellation
  row.retryAttempts = change.retryAttempts ?? row.retryAttempts
  row.startAt = change.startAt ?? row.startAt
  row.startedAt = change.startedAt ?? row.startedAt
  row.finishedAt = change.finishedAt ?? row.finishedAt
  row.expiresAt = change.unsetExpiresAt === true ? undefined : (change.expiresAt ?? row.expiresAt)
  row.updatedAt = change.updatedAt
  row.leaseId = change.leaseId ?? row.leaseId
  row.executorId = change.executorId ?? row.executorId
  row.losses = change.losses ?? row.losses
  row.childrenTasksCount = change.childrenTasksCount ?? row.childrenTasksCount
  row.childrenTasksFailedCount = change.childrenTasksFailedCount ?? row.childrenTasksFailedCount
  row.suspendedFor = change.suspendedFor ?? row.suspendedFor
  row.hasCompensations = change.hasCompensations ?? row.hasCompensations
}
