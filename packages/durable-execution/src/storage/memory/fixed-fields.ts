/** What is said when a row is inserted and never changed after: rows that are inserted together mostly share it. */

import { type Millis } from '../../base/clock.ts'
import { type ExecutionRow } from '../../machine/execution.ts'
import { copyOf, createSharedCopy, millisOf } from './copies.ts'

/** The names of these fields. The id and the input are each row's own. */
export type FixedName =
  | 'rootTask'
  | 'parentTask'
  | 'taskId'
  | 'retryOptions'
  | 'sleepMsBeforeRun'
  | 'timeoutMs'
  | 'createdAt'
  | 'depth'
  | 'priority'
  | 'tags'
  | 'deadlineAt'

/** These fields, each of them there, if only as `undefined`. */
export type FixedFields = {
  readonly [Name in Exclude<FixedName, 'createdAt' | 'deadlineAt'>]: ExecutionRow[Name]
} & { readonly createdAt: Millis; readonly deadlineAt: Millis | undefined }

/** Copies these fields of rows one after another, those that are the same as of the row before once. Only for one call. */
export function keepFixedOf(): (row: ExecutionRow) => FixedFields {
  const copyRootTask = createSharedCopy()
  const copyParentTask = createSharedCopy()
  const copyRetryOptions = createSharedCopy()
  let last: ExecutionRow | undefined
  let fixed: FixedFields | undefined
  return (row) => {
    if (fixed === undefined || last === undefined || !areAlike(row, last)) {
      const rootTask = copyRootTask(row.rootTask)
      fixed = {
        rootTask,
        parentTask: row.parentTask === row.rootTask ? rootTask : copyParentTask(row.parentTask),
        taskId: row.taskId,
        retryOptions: copyRetryOptions(row.retryOptions),
        sleepMsBeforeRun: row.sleepMsBeforeRun,
        timeoutMs: row.timeoutMs,
        createdAt: millisOf(row.createdAt),
        depth: row.depth,
        priority: row.priority,
        tags: copyOf(row.tags),
        deadlineAt: row.deadlineAt && millisOf(row.deadlineAt),
      }
    }
    last = row
    return fixed
  }
}

function areAlike(left: ExecutionRow, right: ExecutionRow): boolean {
  return (
    left.rootTask === right.rootTask &&
    left.parentTask === right.parentTask &&
    left.taskId === right.taskId &&
    left.retryOptions === right.retryOptions &&
    left.sleepMsBeforeRun === right.sleepMsBeforeRun &&
    left.timeoutMs === right.timeoutMs &&
    // Those that callers enqueue at the same time each have a date of their own.
    left.createdAt.getTime() === right.createdAt.getTime() &&
    left.depth === right.depth &&
    left.priority === right.priority &&
    left.tags === right.tags &&
    left.deadlineAt === right.deadlineAt
  )
}
