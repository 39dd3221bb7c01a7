/** The rows in memory: found through indexes, changed one by one, and put back as they were on demand. */

import { type Millis } from '../../base/clock.ts'
import { DurableExecutionError } from '../../base/errors.ts'
import { type ExecutionRow } from '../../machine/execution.ts'
import { ALL_STATUSES, isFinishedStatus } from '../../machine/status.ts'
import { alreadyExistsMessage, type DurableTaskExecutionStorageWhere } from '../contract.ts'
import { changeRow, type KeptChange, keepRows, type KeptRow } from './kept-row.ts'
import { createReadyRows } from './ready-rows.ts'
import { byExpiresAt, byInsertion, byStartAt, createRowIndex } from './row-index.ts'
import { type Compare, type Cursor } from './sorted-list.ts'
import { createIdGroups } from './id-groups.ts'
import { createStatusGroups } from './status-groups.ts'

/** Rows with their indexes. What comes out is what is kept: only the store may change it. */
export type RowStore = {
  /** How many rows there are. */
  size: () => number
  /** All rows in the order of insertion. */
  all: () => Array<KeptRow>
  get: (executionId: string) => KeptRow | undefined
  /** Those of the ids that exist, each once, in the order of insertion. */
  getMany: (executionIds: Iterable<string>) => Array<KeptRow>
  /** What matches the clause, in the clause's order, at most `limit`. */
  find: (where: DurableTaskExecutionStorageWhere, limit: number) => Array<KeptRow>
  /** The `ready` rows of the tasks that are due, of the highest priority first, of each the earliest, at most `limit`. */
  findDue: (due: DueRows) => Array<KeptRow>
  /** The rows below the parent that are active or not closed, in the order of insertion, at most `limit`. */
  findBelow: (parentExecutionId: string, limit: number) => Array<KeptRow>
  /** The rows with ids from the first, up to but without the second. */
  findInRange: (from: string, to: string) => Array<KeptRow>
  /** @throws {DurableExecutionError} if an id is there already or a date is invalid; then none is inserted. */
  insert: (rows: ReadonlyArray<ExecutionRow>) => void
  update: (row: KeptRow, change: KeptChange) => void
  /** Changes nothing but when the row was changed. */
  touch: (row: KeptRow, updatedAt: Millis) => void
  /** Forgets how to undo what was done so far. */
  keep: () => void
  /** Undoes all that was done since the last `keep`. */
  undo: () => void
}

/** Which rows to take: `startAt` is `now` or earlier. */
type DueRows = {
  taskIds: Iterable<string>
  excludedIds: ReadonlySet<string>
  lossesLessThan: number
  now: number
  limit: number
}

/** Creates an empty store. */
export function createRowStore(): RowStore {
  const byId = new Map<string, KeptRow>()
  // The engine asks for these again and again, a few of very many rows at a time. All else it asks of
  // statuses that few rows have, or never: it is looked for among the rows of the status, and sorted then.
  const ready = createReadyRows()
  const byParent = createRowIndex((row) => row.fixed.parentTask?.executionId, byInsertion)
  const groups = createStatusGroups()
  const groupsOfIds = createIdGroups()
  // What the rows were before each change, the latest last; undefined before their insertion.
  let changed: Array<KeptRow> = []
  let befores: Array<Before | undefined> = []
  let nextSeq = 0

  const move = <T>(row: KeptRow, change: (row: KeptRow, given: T) => void, given: T): void => {
    const wasOver = isOver(row)
    // An index finds a row by what is in it, so it is taken out before the row changes.
    groups.remove(row)
    ready.remove(row)
    change(row, given)
    groups.add(row)
    ready.add(row)
    if (wasOver && !isOver(row)) {
      byParent.add(row)
    } else if (!wasOver && isOver(row)) {
      byParent.remove(row)
    }
  }
  const undoTo = (length: number): void => {
    while (changed.length > length) {
      const row = changed.pop()
      const before = befores.pop()
      if (row === undefined) {
        return
      }
      if (before === undefined) {
        byId.delete(row.executionId)
        groupsOfIds.remove(row)
        groups.remove(row)
        ready.remove(row)
        byParent.remove(row)
      } else {
        move(row, Object.assign<KeptRow, Before>, before)
      }
    }
  }
  const add = (row: KeptRow): void => {
    byId.set(row.executionId, row)
    groupsOfIds.add(row)
    groups.add(row)
    ready.add(row)
    if (!isOver(row)) {
      byParent.add(row)
    }
  }
  const getMany = (executionIds: Iterable<string>): Array<KeptRow> => {
    const found: Array<KeptRow> = []
    for (const id of new Set(executionIds)) {
      const row = byId.get(id)
      if (row !== undefined) {
        found.push(row)
      }
    }
    return found.sort(byInsertion)
  }

  return {
    size: () => byId.size,
    // Ids enter the map in the order of insertion and never move in it.
    all: () => [...byId.values()],
    get: (executionId) => byId.get(executionId),
    getMany,
    find: (where, limit) => {
      switch (where.type) {
        case 'by_execution_ids':
          return getMany(where.executionIds).filter(matcherOfIds(where)).slice(0, limit)
        case 'by_statuses': {
          const { statuses, isClosed, expiresAtLessThan } = where
          const before = expiresAtLessThan?.getTime()
          return before === undefined
            ? first(groups.rowsOf(statuses, isClosed), limit, byInsertion)
            : first(
                groups.rowsOf(statuses, isClosed),
                limit,
                byExpiresAt,
                (row) => row.expiresAt !== undefined && row.expiresAt < before,
              )
        }
        case 'by_start_at_less_than': {
          const before = where.startAtLessThan.getTime()
          const startsBefore = (row: KeptRow): boolean => row.startAt < before
          return where.statuses.every((status) => status === 'ready') && where.statuses.length > 0
            ? take(ready.begin(), limit, undefined, startsBefore)
            : first(groups.rowsOf(where.statuses), limit, byStartAt, startsBefore)
        }
      }
    },
    findDue: ({ taskIds, excludedIds, lossesLessThan, now, limit }) => {
      const mayBeTaken: Matcher = (row) =>
        !excludedIds.has(row.executionId) && (row.losses ?? 0) < lossesLessThan
      const due: Array<KeptRow> = []
      for (const cursor of ready.beginEach(taskIds)) {
        take(cursor, limit, mayBeTaken, (row) => row.startAt <= now, due)
      }
      return due
    },
    findInRange: (from, to) =>
      groupsOfIds.find(from, to) ??
      [...byId.values()].filter(({ executionId }) => executionId >= from && executionId < to),
    findBelow: (parentExecutionId, limit) => take(byParent.begin([parentExecutionId]), limit),
    insert: (rows) => {
      const start = changed.length
      for (const row of keepRows(rows, nextSeq)) {
        if (byId.has(row.executionId)) {
          undoTo(start)
          throw new DurableExecutionError(alreadyExistsMessage(row.executionId), false)
        }
        changed.push(row)
        befores.push(undefined)
        add(row)
      }
      nextSeq += rows.length
    },
    update: (row, change) => {
      changed.push(row)
      // The copy (70 ns) dies young; a row replaced by a new one would die old, which costs the collector far more.
      befores.push({ ...row })
      if (change.status === undefined && change.isClosed === undefined && change.startAt === undefined) {
        changeRow(row, change)
      } else {
        move(row, changeRow, change)
      }
    },
    touch: (row, updatedAt) => {
      changed.push(row)
      befores.push({ updatedAt: row.updatedAt })
      row.updatedAt = updatedAt
    },
    keep: () => {
      changed = []
      befores = []
    },
    undo: () => {
      undoTo(0)
    },
  }
}

/** Whether nothing of the row is left to do: it is finished, and its end is dealt with. */
function isOver(row: KeptRow): boolean {
  return row.isClosed && isFinishedStatus(row.status)
}

/** What some fields of a row were. */
type Before = { [Name in keyof KeptRow]?: KeptRow[Name] | undefined }

type Matcher = (row: KeptRow) => boolean

/** The rows that match in the given order, at most `limit`. */
function first(
  rows: Iterable<KeptRow>,
  limit: number,
  compare: Compare<KeptRow>,
  matches?: Matcher,
): Array<KeptRow> {
  const found: Array<KeptRow> = []
  for (const row of rows) {
    if (matches === undefined || matches(row)) {
      found.push(row)
    }
  }
  return found.sort(compare).slice(0, limit)
}

/**
 * Adds to those taken the rows from the cursor on that match, until there are `limit`, up to the first that is no longer
 * `within`.
 */
function take(
  cursor: Cursor<KeptRow>,
  limit: number,
  matches?: Matcher,
  within?: Matcher,
  taken: Array<KeptRow> = [],
): Array<KeptRow> {
  for (let row = cursor.current(); row !== undefined && taken.length < limit; row = cursor.current()) {
    if (within !== undefined && !within(row)) {
      break
    }
    if (matches === undefined || matches(row)) {
      taken.push(row)
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
