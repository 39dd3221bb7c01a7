/** Finds rows by group, sorted within it: one index, and the five that the where clauses need. */

import { type DurableTaskExecutionStatusStorageObject, isFinishedStatus } from '../../machine/execution.ts'
import { type KeptRow } from './kept-row.ts'
import { mergeSorted } from './merge-sorted.ts'
import { createSortedList, type Cursor, type SortedList } from './sorted-list.ts'

type Status = DurableTaskExecutionStatusStorageObject

/** A row in the store. The row itself is never changed, only replaced, so that an undo is to put it back. */
export type StoredRow = {
  /** The order of insertion; unique. */
  readonly seq: number
  row: KeptRow
}

/** Rows by group, each group sorted by a key and then by the order of insertion. */
export type RowIndex = {
  add: (stored: StoredRow) => void
  remove: (stored: StoredRow) => void
  /** Whether the index keeps both rows at the same place. */
  isSamePlace: (before: KeptRow, after: KeptRow) => boolean
  /** The first place in the given groups, walked as one. */
  begin: (groups: Iterable<string>) => Cursor<StoredRow>
}

/** The indexes of a store. */
export type RowIndexes = {
  /** Groups: {@link closedGroup}. In the order of insertion. */
  byClosed: RowIndex
  /** Groups: statuses. Only rows that have an `expiresAt`; earliest first. */
  byExpiresAt: RowIndex
  /** Groups: statuses. Earliest `startAt` first. */
  byStartAt: RowIndex
  /** Groups: task ids. Only `ready` rows; earliest `startAt` first. */
  readyByTask: RowIndex
  /** Groups: ids of parents. Only rows with something still to happen; in the order of insertion. */
  byParent: RowIndex
}

/** Creates the empty indexes of a store. */
export function createRowIndexes(): RowIndexes {
  const inserted = (): number => 0
  const startAt = (row: KeptRow): number => row.startAt
  return {
    byClosed: createRowIndex((row) => closedGroup(row.status, row.isClosed), inserted),
    byExpiresAt: createRowIndex(
      (row) => (row.expiresAt === undefined ? undefined : row.status),
      (row) => row.expiresAt ?? 0,
    ),
    byStartAt: createRowIndex((row) => row.status, startAt),
    readyByTask: createRowIndex((row) => (row.status === 'ready' ? row.taskId : undefined), startAt),
    byParent: createRowIndex((row) => (isOver(row) ? undefined : row.parentTask?.executionId), inserted),
  }
}

/** Whether nothing of the row is left to do: it is finished, and its end is dealt with. */
function isOver(row: KeptRow): boolean {
  return row.isClosed && isFinishedStatus(row.status)
}

/** The group of `byClosed` that holds the rows of the status that are closed, or that are not. */
export function closedGroup(status: Status, isClosed: boolean): string {
  return isClosed ? CLOSED_GROUPS[status] : status
}

// Constants, because joining strings for each row that moves costs more than the move.
const CLOSED_GROUPS: Readonly<Record<Status, string>> = {
  ready: 'closed ready',
  running: 'closed running',
  failed: 'closed failed',
  timed_out: 'closed timed_out',
  waiting_for_children_tasks: 'closed waiting_for_children_tasks',
  children_tasks_failed: 'closed children_tasks_failed',
  waiting_for_finalize_task: 'closed waiting_for_finalize_task',
  finalize_task_failed: 'closed finalize_task_failed',
  completed: 'closed completed',
  cancelled: 'closed cancelled',
}

function createRowIndex(
  groupOf: (row: KeptRow) => string | undefined,
  keyOf: (row: KeptRow) => number,
): RowIndex {
  const groups = new Map<string, SortedList<StoredRow>>()
  const compare = (left: StoredRow, right: StoredRow): number =>
    keyOf(left.row) - keyOf(right.row) || left.seq - right.seq
  return {
    add: (stored) => {
      const group = groupOf(stored.row)
      if (group === undefined) {
        return
      }
      let list = groups.get(group)
      if (list === undefined) {
        list = createSortedList(compare)
        groups.set(group, list)
      }
      list.add(stored)
    },
    remove: (stored) => {
      const group = groupOf(stored.row)
      const list = group === undefined ? undefined : groups.get(group)
      if (group === undefined || list === undefined) {
        return
      }
      list.remove(stored)
      if (list.size() === 0) {
        groups.delete(group)
      }
    },
    isSamePlace: (before, after) => groupOf(before) === groupOf(after) && keyOf(before) === keyOf(after),
    begin: (names) => {
      const cursors: Array<Cursor<StoredRow>> = []
      for (const name of new Set(names)) {
        const list = groups.get(name)
        if (list !== undefined) {
          cursors.push(list.begin())
        }
      }
      return mergeSorted(cursors, compare)
    },
  }
}
