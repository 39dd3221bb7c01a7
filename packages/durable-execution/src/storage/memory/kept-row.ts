/** A row as memory keeps it, and what an update does to it. */

import { type Millis } from '../../base/clock.ts'
import { type ExecutionRow, type ExecutionUpdate } from '../../machine/execution.ts'
import { millisOf } from './copies.ts'
import { type FixedFields, type FixedName, keepFixedOf } from './fixed-fields.ts'
import {
  changeRare,
  keepRare,
  keepRareChange,
  type RareChange,
  type RareFields,
  type RareName,
} from './rare-fields.ts'

/** A field as it is kept: moments are numbers, which are smaller and quicker to compare. */
type Kept<T> = T extends Date ? Millis : T

/**
 * A row of the store: what nearly every row has and changes, and two objects that most rows share with others. A row of all
 * its forty fields takes twice the memory, and memory that is touched for the first time is what an enqueue costs most.
 *
 * Every field is there, if only as `undefined`: objects of one shape are several times faster to copy. What is in its fields is
 * never changed, only replaced.
 */
export type KeptRow = {
  -readonly [Name in Exclude<keyof ExecutionRow, FixedName | RareName>]-?: Kept<ExecutionRow[Name]>
} & {
  readonly fixed: FixedFields
  rare: RareFields
  /** The order of insertion; unique. */
  seq: number
  /** Where the row stands among those of its status. */
  place: number
}

/** An update as it is kept, again with every field. What is `undefined` stays as it is. */
export type KeptChange = {
  readonly [Name in Exclude<keyof ExecutionUpdate, RareName>]-?: Kept<ExecutionUpdate[Name]>
} & { readonly rare: RareChange | undefined }

/**
 * Copies a caller's rows and numbers them in their order. What several of them have in common is copied once.
 *
 * @throws {DurableExecutionError} if one holds an invalid date, which could be neither sorted nor saved.
 */
export function keepRows(rows: ReadonlyArray<ExecutionRow>, firstSeq: number): Array<KeptRow> {
  const fixedOf = keepFixedOf()
  return rows.map((row, index) => ({
    fixed: fixedOf(row),
    rare: keepRare(row),
    executionId: row.executionId,
    childIndex: row.childIndex,
    runInput: row.runInput,
    runOutput: row.runOutput,
    output: row.output,
    status: row.status,
    isClosed: row.isClosed,
    needsPromiseCancellation: row.needsPromiseCancellation,
    retryAttempts: row.retryAttempts,
    losses: row.losses,
    startAt: millisOf(row.startAt),
    startedAt: row.startedAt && millisOf(row.startedAt),
    finishedAt: row.finishedAt && millisOf(row.finishedAt),
    expiresAt: row.expiresAt && millisOf(row.expiresAt),
    updatedAt: millisOf(row.updatedAt),
    leaseId: row.leaseId,
    executorId: row.executorId,
    seq: firstSeq + index,
    place: 0,
  }))
}

/**
 * Copies a caller's update.
 *
 * @throws {DurableExecutionError} if it holds an invalid date.
 */
export function keepUpdate(update: ExecutionUpdate): KeptChange {
  return {
    rare: keepRareChange(update),
    runOutput: update.runOutput,
    output: update.output,
    unsetError: update.unsetError,
    status: update.status,
    isClosed: update.isClosed,
    needsPromiseCancellation: update.needsPromiseCancellation,
    retryAttempts: update.retryAttempts,
    losses: update.losses,
    startAt: update.startAt && millisOf(update.startAt),
    startedAt: update.startedAt && millisOf(update.startedAt),
    finishedAt: update.finishedAt && millisOf(update.finishedAt),
    expiresAt: update.expiresAt && millisOf(update.expiresAt),
    unsetExpiresAt: update.unsetExpiresAt,
    updatedAt: millisOf(update.updatedAt),
    leaseId: update.leaseId,
    executorId: update.executorId,
  }
}

/** Changes the row. */
export function changeRow(row: KeptRow, change: KeptChange): void {
  row.rare = changeRare(row.rare, change.rare, change.unsetError === true)
  row.runOutput = change.runOutput ?? row.runOutput
  row.output = change.output ?? row.output
  row.status = change.status ?? row.status
  row.isClosed = change.isClosed ?? row.isClosed
  row.needsPromiseCancellation = change.needsPromiseCancellation ?? row.needsPromiseCancellation
  row.retryAttempts = change.retryAttempts ?? row.retryAttempts
  row.losses = change.losses ?? row.losses
  row.startAt = change.startAt ?? row.startAt
  row.startedAt = change.startedAt ?? row.startedAt
  row.finishedAt = change.finishedAt ?? row.finishedAt
  row.expiresAt = change.unsetExpiresAt === true ? undefined : (change.expiresAt ?? row.expiresAt)
  row.updatedAt = change.updatedAt
  row.leaseId = change.leaseId ?? row.leaseId
  row.executorId = change.executorId ?? row.executorId
}
