/** Finds rows by group, sorted within it: one index, and the two that must stay sorted all the time. */

import { type KeptRow } from './kept-row.ts'
import { mergeSorted } from './merge-sorted.ts'
import { type Compare, createSortedList, type Cursor, type SortedList } from './sorted-list.ts'

/** Rows by group, each group sorted. A row that belongs to no group is not kept. */
export type RowIndex = {
  add: (row: KeptRow) => void
  remove: (row: KeptRow) => void
  isEmpty: () => boolean
  /** The first place in the given groups, walked as one; in all groups if none are given. */
  begin: (groups?: Iterable<string>) => Cursor<KeptRow>
}

/** The order of insertion. */
export const byInsertion: Compare<KeptRow> = (left, right) => left.seq - right.seq

/** The earliest `startAt` first. */
export const byStartAt: Compare<KeptRow> = (left, right) =>
  left.startAt - right.startAt || left.seq - right.seq

/** The earliest `expiresAt` first. */
export const byExpiresAt: Compare<KeptRow> = (left, right) =>
  (left.expiresAt ?? Infinity) - (right.expiresAt ?? Infinity) || left.seq - right.seq

/** Creates an empty index. */
export function createRowIndex(
  groupOf: (row: KeptRow) => string | undefined,
  compare: Compare<KeptRow>,
): RowIndex {
  const groups = new Map<string, SortedList<KeptRow>>()
  return {
    add: (row) => {
      const group = groupOf(row)
      if (group === undefined) {
        return
      }
      let list = groups.get(group)
      if (list === undefined) {
        list = createSortedList(compare)
        groups.set(group, list)
      }
      list.add(row)
    },
    remove: (row) => {
      const group = groupOf(row)
      const list = group === undefined ? undefined : groups.get(group)
      if (group === undefined || list === undefined) {
        return
      }
      list.remove(row)
      if (list.size() === 0) {
        groups.delete(group)
      }
    },
    isEmpty: () => groups.size === 0,
    begin: (names) => {
      const cursors: Array<Cursor<KeptRow>> = []
      for (const name of names === undefined ? groups.keys() : new Set(names)) {
        const list = groups.get(name)
        if (list !== undefined) {
          cursors.push(list.begin())
        }
      }
      return mergeSorted(cursors, compare)
    },
  }
}
