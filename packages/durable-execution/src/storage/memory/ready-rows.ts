/** The rows that are ready, by priority and task, the earliest first. */

import { type KeptRow } from './kept-row.ts'
import { mergeSorted } from './merge-sorted.ts'
import { byStartAt, createRowIndex, type RowIndex } from './row-index.ts'
import { type Cursor } from './sorted-list.ts'

/** The ready rows. A row that is in another status is not kept. */
export type ReadyRows = {
  add: (row: KeptRow) => void
  remove: (row: KeptRow) => void
  /** The first of all of them. */
  begin: () => Cursor<KeptRow>
  /** Of each priority, from the highest to the lowest, the first row of the tasks. */
  beginEach: (taskIds: Iterable<string>) => Iterable<Cursor<KeptRow>>
}

/** Creates it without rows. */
export function createReadyRows(): ReadyRows {
  // Most rows have no priority, so theirs need not be looked up.
  const plain = createIndex()
  const others = new Map<number, RowIndex>()
  // All there are, the highest first.
  const priorities = [0]
  const indexOf = (row: KeptRow): RowIndex => {
    const { priority = 0 } = row.fixed
    if (priority === 0) {
      return plain
    }
    let index = others.get(priority)
    if (index === undefined) {
      index = createIndex()
      others.set(priority, index)
      const place = priorities.findIndex((other) => other < priority)
      priorities.splice(place < 0 ? priorities.length : place, 0, priority)
    }
    return index
  }
  return {
    add: (row) => {
      if (row.status === 'ready') {
        indexOf(row).add(row)
      }
    },
    remove: (row) => {
      if (row.status !== 'ready') {
        return
      }
      const index = indexOf(row)
      index.remove(row)
      const { priority = 0 } = row.fixed
      if (priority !== 0 && index.isEmpty()) {
        others.delete(priority)
        priorities.splice(priorities.indexOf(priority), 1)
      }
    },
    begin: () =>
      others.size === 0
        ? plain.begin()
        : mergeSorted(
            [plain, ...others.values()].map((index) => index.begin()),
            byStartAt,
          ),
    beginEach: function* (taskIds) {
      for (const priority of priorities) {
        yield (others.get(priority) ?? plain).begin(taskIds)
      }
    },
  }
}

function createIndex(): RowIndex {
  return createRowIndex((row) => row.fixed.taskId, byStartAt)
}
