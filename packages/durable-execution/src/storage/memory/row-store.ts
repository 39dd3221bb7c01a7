/** The rows in memory: found through indexes, changed one by one, and put back as they were on demand. */

import { DurableExecutionError } from '../../base/errors.ts'
import { ALL_STATUSES } from '../../machine/execution.ts'
import { alreadyExistsMessage, type DurableTaskExecutionStorageWhere } from '../contract.ts'
import { changeRow, type KeptChange, type KeptRow } from './kept-row.ts'
import { closedGroup, createRowIndexes, type RowIndex, type StoredRow } from './row-index.ts'
import { type Cursor } from './sorted-list.ts'

/** Rows with their indexes. What goes in is kept as it is, and what comes out is what is kept. */
export type RowStore = {
  /** How many rows there are. */
  size: () => number
  /** All rows in the order of insertion. */
  all: () => Array<KeptRow>
  get: (executionId: string) => StoredRow | undefined
  /** Those of the ids that exist, each once, in the order of insertion. */
  getMany: (executionIds: Iterable<string>) => Array<StoredRow>
  /** What matches the clause, in the clause's order, at most `limit`. */
  find: (where: DurableTaskExecutionStorageWhere, limit: number) => Array<StoredRow>
  /** The `ready` rows of the tasks that are due, earliest first, at most `limit`. */
  findDue: (due: DueRows) => Array<StoredRow>
  /** The rows below the parent that are active or not closed, in the order of insertion, at most `limit`. */
  findBelow: (parentExecutionId: string, limit: number) => Array<StoredRow>
  /** @throws {DurableExecutionError} if one of the ids is there already; then none is inserted. */
  insert: (rows: ReadonlyArray<KeptRow>) => void
  update: (stored: StoredRow, change: KeptChange) => void
  /** Forgets how to undo what was done so far. */
  keep: () => void
  /** Undoes all that was done since the last `keep`. */
  undo: () => void
}

/** Which rows to take: `startAt` is `now` or earlier. */
type DueRows = {
  taskIds: Iterable<string>
  excludedIds: ReadonlySet<string>
  now: number
  limit: number
}

type Change = { stored: StoredRow; before: KeptRow | undefined }

/** Creates an empty store. */
export function createRowStore(): RowStore {
  const byId = new Map<string, StoredRow>()
  const indexes = createRowIndexes()
  const everyIndex: ReadonlyArray<RowIndex> = Object.values(indexes)
  let changes: Array<Change> = []
  let nextSeq = 0

  const add = (stored: StoredRow): void => {
    byId.set(stored.row.executionId, stored)
    for (const index of everyIndex) {
      index.add(stored)
    }
  }
  const remove = (stored: StoredRow): void => {
    byId.delete(stored.row.executionId)
    for (const index of everyIndex) {
      index.remove(stored)
    }
  }
  const replace = (stored: StoredRow, row: KeptRow): void => {
    // An index finds a row by what is in it, so it is taken out before the row changes.
    const moved = everyIndex.filter((index) => !index.isSamePlace(stored.row, row))
    for (const index of moved) {
      index.remove(stored)
    }
    stored.row = row
    for (const index of moved) {
      index.add(stored)
    }
  }
  const undoTo = (length: number): void => {
    for (const { stored, before } of changes.splice(length).toReversed()) {
      if (before === undefined) {
        remove(stored)
      } else {
        replace(stored, before)
      }
    }
  }
  const getMany = (executionIds: Iterable<string>): Array<StoredRow> => {
    const found: Array<StoredRow> = []
    for (const id of new Set(executionIds)) {
      const stored = byId.get(id)
      if (stored !== undefined) {
        found.push(stored)
      }
    }
    return found.sort((left, right) => left.seq - right.seq)
  }

  return {
    size: () => byId.size,
    // Ids enter the map in the order of insertion and never move in it.
    all: () => Array.from(byId.values(), (stored) => stored.row),
    get: (executionId) => byId.get(executionId),
    getMany,
    find: (where, limit) => {
      switch (where.type) {
        case 'by_execution_ids':
          return take(cursorOver(getMany(where.executionIds)), limit, matcherOfIds(where))
        case 'by_statuses':
          return findByStatuses(indexes, where, limit)
        case 'by_start_at_less_than': {
          const before = where.startAtLessThan.getTime()
          const cursor = indexes.byStartAt.begin(where.statuses)
          return take(cursor, limit, undefined, (row) => row.startAt < before)
        }
      }
    },
    findDue: ({ taskIds, excludedIds, now, limit }) =>
      take(
        indexes.readyByTask.begin(taskIds),
        limit,
        (row) => !excludedIds.has(row.executionId),
        (row) => row.startAt <= now,
      ),
    findBelow: (parentExecutionId, limit) => take(indexes.byParent.begin([parentExecutionId]), limit),
    insert: (rows) => {
      const start = changes.length
      for (const row of rows) {
        if (byId.has(row.executionId)) {
          undoTo(start)
          throw new DurableExecutionError(alreadyExistsMessage(row.executionId), false)
        }
        const stored = { seq: nextSeq, row }
        nextSeq += 1
        changes.push({ stored, before: undefined })
        add(stored)
      }
    },
    update: (stored, change) => {
      changes.push({ stored, before: stored.row })
      replace(stored, changeRow(stored.row, change))
    },
    keep: () => {
      changes = []
    },
    undo: () => undoTo(0),
  }
}

type Matcher = (row: KeptRow) => boolean

/** The rows from the cursor on that match, at most `limit`, up to the first that is no longer `within`. */
function take(
  cursor: Cursor<StoredRow>,
  limit: number,
  matches?: Matcher,
  within?: Matcher,
): Array<StoredRow> {
  const taken: Array<StoredRow> = []
  for (
    let stored = cursor.current();
    stored !== undefined && taken.length < limit;
    stored = cursor.current()
  ) {
    if (within !== undefined && !within(stored.row)) {
      break
    }
    if (matches === undefined || matches(stored.row)) {
      taken.push(stored)
    }
    cursor.advance()
  }
  return taken
}

function matcherOfIds(where: DurableTaskExecutionStorageWhere & { type: 'by_execution_ids' }): Matcher {
  const statuses = new Set(where.statuses ?? ALL_STATUSES)
  const { needsPromiseCancellation } = where
  return (row) =>
    statuses.has(row.status) &&
    (needsPromiseCancellation === undefined || row.needsPromiseCancellation === needsPromiseCancellation)
}

function findByStatuses(
  indexes: ReturnType<typeof createRowIndexes>,
  { statuses, isClosed, expiresAtLessThan }: DurableTaskExecutionStorageWhere & { type: 'by_statuses' },
  limit: number,
): Array<StoredRow> {
  if (expiresAtLessThan !== undefined) {
    const before = expiresAtLessThan.getTime()
    return take(
      indexes.byExpiresAt.begin(statuses),
      limit,
      (row) => isClosed === undefined || row.isClosed === isClosed,
      (row) => row.expiresAt !== undefined && row.expiresAt < before,
    )
  }
  const groups = [true, false]
    .filter((claim) => isClosed === undefined || claim === isClosed)
    .flatMap((claim) => statuses.map((status) => closedGroup(status, claim)))
  return take(indexes.byClosed.begin(groups), limit)
}

function cursorOver(rows: Array<StoredRow>): Cursor<StoredRow> {
  let position = 0
  return {
    current: () => rows[position],
    advance: () => {
      position += 1
    },
  }
}
