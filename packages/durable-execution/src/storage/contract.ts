/** The storage contract: rows under a transaction, four operations, and what a storage may do better. */

import { type MaybePromise } from '../base/promise.ts'
import {
  type DurableTaskExecutionStorageObject,
  type DurableTaskExecutionStorageObjectUpdate,
} from '../machine/execution.ts'
import { type DurableTaskExecutionStatusStorageObject } from '../machine/status.ts'

/**
 * A durable storage with support for transactions. Transactions may run in parallel; where they
 * cannot, run them one after another with {@link createTransactionMutex}.
 *
 * Only `withTransaction` is needed. The other members are looked for at each use, and each has a
 * fallback.
 *
 * @category Storage
 */
export type DurableStorage = {
  /**
   * Runs `fn` in a transaction: all of its writes are kept if its promise resolves, none if it
   * rejects. Updates lock the rows they touch until the end; READ COMMITTED is enough.
   *
   * `hint.oneCall` says that `fn` makes at most one call on `tx`, so that a storage may leave out
   * BEGIN and COMMIT: then the call is whole, or has failed, when its own promise settles. Ignoring it is correct.
   */
  withTransaction: <T>(fn: (tx: DurableStorageTx) => Promise<T>, hint?: { oneCall?: boolean }) => Promise<T>
  /** The storage's own clock. Without it the clocks of all executors must agree within a third of `expireMs`. */
  getCurrentTime?: () => Date | Promise<Date>
  /**
   * Calls the listener whenever somebody else, in another process or through another storage object,
   * may have changed something. Resolves with a function that stops it. Hints may be lost or come twice.
   */
  onChange?: (listener: (hint: DurableStorageChangeHint) => void) => Promise<() => Promise<void>>
  /** Tells the listeners of others. Called after a commit, never inside a transaction. */
  notifyChange?: (hint: DurableStorageChangeHint) => Promise<void>
  /**
   * The operations inside a transaction that the caller began and will end by itself: they are kept if the
   * caller commits, and only then. What a transaction is, the storage says: a client of its driver, most
   * often. Rejects, with a message that says what to give, if it is none.
   */
  joinTransaction?: (transaction: object) => Promise<DurableStorageTx>
  /**
   * A transaction that code of the user's shares, for `ctx.transaction`. `use` is called once, inside it, with what that code
   * writes through: a client or a handle of the driver, most often. After it has resolved nothing more comes from there; `keep` is
   * then called in the same transaction with what `use` gave, and when it has resolved too, all is committed. If either
   * rejects, nothing is kept, however much of the user's code is still at work, and this rejects with that very error.
   *
   * Where the storage itself is at fault (a connection that was lost, a conflict with others, whatever `use` made of that), it
   * rejects with another error, and all of it is done again. Where what the user's code did cannot be committed, it rejects
   * with a `DurableExecutionError` that says why. It may wait for its turn before it calls `use`.
   */
  shareTransaction?: <T>(
    use: (transaction: object) => Promise<T>,
    keep: (tx: DurableStorageTx, value: T) => Promise<void>,
  ) => Promise<T>
  /** Creates or updates what the storage needs. Repeating it is fine. */
  migrate?: () => Promise<void>
  /** Gives back what the storage holds. Repeating it is fine. The engine never calls it. */
  close?: () => Promise<void>
}

/**
 * That something may have changed; never the truth itself.
 *
 * @category Storage
 */
export type DurableStorageChangeHint = {
  /** Something became ready to run. */
  ready?: boolean
  /** The executions that changed, where known. */
  executionIds?: Array<string>
}

/**
 * A durable storage transaction. The four operations are all that a storage must have.
 *
 * @category Storage
 */
export type DurableStorageTx = {
  /**
   * Insert durable task executions. An id that exists already is an error, and inserts none of them.
   *
   * @param executions - The durable task executions to insert.
   */
  insertTaskExecutions: (executions: Array<DurableTaskExecutionStorageObject>) => void | Promise<void>
  /**
   * Get durable task execution ids.
   *
   * @param where - The where clause to filter the durable task executions.
   * @param limit - The maximum number of ids to return: 0 returns nothing, negative or NaN means no limit.
   * @returns The ids of the durable task executions.
   */
  getTaskExecutionIds: (
    where: DurableTaskExecutionStorageWhere,
    limit?: number,
  ) => Array<string> | Promise<Array<string>>
  /**
   * Get durable task executions.
   *
   * @param where - The where clause to filter the durable task executions.
   * @param limit - The maximum number of executions to return: 0 returns nothing, negative or NaN means no limit.
   * @returns The durable task executions.
   */
  getTaskExecutions: (
    where: DurableTaskExecutionStorageWhere,
    limit?: number,
  ) => Array<DurableTaskExecutionStorageObject> | Promise<Array<DurableTaskExecutionStorageObject>>
  /**
   * Update durable task executions, and lock them until the transaction ends.
   *
   * @param where - The where clause to filter the durable task executions.
   * @param update - The update object.
   * @returns The ids of the durable task executions that were updated.
   */
  updateTaskExecutions: (
    where: DurableTaskExecutionStorageWhere,
    update: DurableTaskExecutionStorageObjectUpdate,
  ) => Array<string> | Promise<Array<string>>

  /**
   * Optional. Inserts those of the rows whose id does not exist yet; the others are no error, and left as they are. Where
   * another transaction that is open has inserted one of the ids, it waits for the end of that. An id comes at most once.
   *
   * @returns The ids of the rows that were inserted.
   */
  insertTaskExecutionsIfMissing?: (
    executions: Array<DurableTaskExecutionStorageObject>,
  ) => MaybePromise<Array<string>>
  /**
   * Optional. Takes due rows of the given tasks that nobody has locked, in one step: those of the highest
   * `priority` (0 if absent) first, of each the earliest, and ties in the order of insertion. In that order they come back
   * `running`, whole, with `startedAt = max(now, their last startedAt + 1 ms)`, the given
   * lease and executor, `updatedAt = now`.
   */
  claimTaskExecutions?: (claim: DurableStorageClaim) => MaybePromise<Array<DurableTaskExecutionStorageObject>>
  /**
   * Optional. Many guarded updates in one step. Each changes its row only if the row's status is among
   * `statuses`, where given, and its `leaseId` is the given one, where given. An id comes at most once.
   *
   * @returns The ids of the rows that were changed.
   */
  updateTaskExecutionsBatch?: (updates: Array<DurableStorageGuardedUpdate>) => MaybePromise<Array<string>>
  /**
   * Optional. Locks the rows, in descending order of their ids, then reads them. With `isLean` the
   * fields `childrenTasks`, `runInput`, `runOutput` and `output` are left out.
   */
  lockTaskExecutions?: (
    executionIds: Array<string>,
    options?: { isLean?: boolean },
  ) => MaybePromise<Array<DurableStorageLeanTaskExecution>>
  /** Optional. Reads a few fields of many rows; `executionId` is always among them. Rows that do not exist are left out. */
  getTaskExecutionFields?: (
    executionIds: Array<string>,
    fields: Array<keyof DurableTaskExecutionStorageObject>,
  ) => MaybePromise<Array<DurableStorageTaskExecutionFields>>
  /**
   * Optional. Moves `expiresAt` (and `updatedAt = now`) of each row that is `running` under the given
   * lease. Rows that somebody else has locked may be skipped: they are answered `isSkipped`.
   *
   * @returns An entry for each row that still is under its lease; what is missing is lost.
   */
  renewTaskExecutions?: (renew: DurableStorageRenew) => MaybePromise<Array<DurableStorageRenewed>>
  /**
   * Optional. The rows whose ids lie in one of the ranges: `from` and what comes after it, up to but without `to`, compared by the codes
   * of their characters. Whole, each once, in any order. It is how what an execution remembers is read: its ids begin with a text of ASCII
   * characters, and go on with `!` or `:`; `from` is that text and `!`, and `to` is the text and `;`. What lies between but goes on
   * otherwise may come or not.
   */
  getTaskExecutionsInIdRanges?: (
    ranges: Array<DurableStorageIdRange>,
  ) => MaybePromise<Array<DurableTaskExecutionStorageObject>>
  /** Optional. The ids of the executions whose parent is the given one and that are active or not closed yet. */
  getTaskExecutionIdsBelow?: (parentExecutionId: string, limit: number) => MaybePromise<Array<string>>
}

/**
 * A row of which the heavy fields may be missing.
 *
 * @category Storage
 */
export type DurableStorageLeanTaskExecution = Omit<
  DurableTaskExecutionStorageObject,
  'childrenTasks' | 'runInput' | 'runOutput' | 'output'
> &
  Partial<Pick<DurableTaskExecutionStorageObject, 'childrenTasks' | 'runInput' | 'runOutput' | 'output'>>

/**
 * A few fields of a row.
 *
 * @category Storage
 */
export type DurableStorageTaskExecutionFields = Pick<DurableTaskExecutionStorageObject, 'executionId'> &
  Partial<DurableTaskExecutionStorageObject>

/**
 * What a claim asks for.
 *
 * @category Storage
 */
export type DurableStorageClaim = {
  /** The tasks to look at; never empty. */
  taskIds: Array<string>
  /** Executions that must not be taken. */
  excludedExecutionIds: Array<string>
  /** Where given, only executions with fewer `losses` are taken; a row without the field has none. */
  lossesLessThan?: number
  /** At most so many; never 0. */
  limit: number
  now: Date
  expiresAt: Date
  leaseId: string
  executorId: string
}

/**
 * An update with a guard.
 *
 * @category Storage
 */
export type DurableStorageGuardedUpdate = {
  executionId: string
  statuses?: Array<DurableTaskExecutionStatusStorageObject>
  leaseId?: string
  update: DurableTaskExecutionStorageObjectUpdate
}

/**
 * Which leases to renew, and until when.
 *
 * @category Storage
 */
export type DurableStorageRenew = {
  leases: Array<{ executionId: string; leaseId: string }>
  expiresAt: Date
  now: Date
}

/**
 * Ids from the first, up to but without the second.
 *
 * @category Storage
 */
export type DurableStorageIdRange = { from: string; to: string }

/**
 * A lease that still holds.
 *
 * @category Storage
 */
export type DurableStorageRenewed = {
  executionId: string
  /** Somebody else has the row locked, so it was not renewed this time. */
  isSkipped?: boolean
}

/**
 * The where clause for durable task execution storage. A storage should index by it:
 * `execution_id` (unique), `(status, isClosed, expiresAt)`, `(status, startAt)`.
 *
 * Order: `by_start_at_less_than` earliest `startAt` first; `by_statuses` with `expiresAtLessThan`
 * earliest `expiresAt` first; all else, and ties, in the order of insertion. The engine is correct
 * under any order. An empty list of ids or statuses matches nothing.
 *
 * @category Storage
 */
export type DurableTaskExecutionStorageWhere =
  | {
      type: 'by_execution_ids'
      executionIds: Array<string>
      statuses?: Array<DurableTaskExecutionStatusStorageObject>
      needsPromiseCancellation?: boolean
    }
  | {
      type: 'by_statuses'
      statuses: Array<DurableTaskExecutionStatusStorageObject>
      isClosed?: boolean
      expiresAtLessThan?: Date
    }
  | {
      type: 'by_start_at_less_than'
      statuses: Array<DurableTaskExecutionStatusStorageObject>
      startAtLessThan: Date
    }

/** The error of an insert whose id exists already; every storage of ours throws it. */
export function alreadyExistsMessage(executionId: string): string {
  return `Task execution ${executionId} already exists`
}
