/** Rows whose ids are made of the id of another row, by what their ids begin with: what one execution remembers lies together. */

import { type KeptRow } from './kept-row.ts'

// The range of one group: `!` and `:` separate the id of an execution from the rest, and `;` sorts behind both.
const [FIRST, BEHIND_LAST] = ['!', ';']

/** Some rows, in groups. */
export type IdGroups = {
  add: (row: KeptRow) => void
  remove: (row: KeptRow) => void
  /** The rows in the range, if it is that of one group; undefined if it is another. */
  find: (from: string, to: string) => Array<KeptRow> | undefined
}

/** Creates empty groups. */
export function createIdGroups(): IdGroups {
  const groups = new Map<string, Set<KeptRow>>()
  return {
    add: (row) => {
      const name = groupOf(row.executionId)
      if (name !== undefined) {
        const group = groups.get(name) ?? new Set()
        groups.set(name, group)
        group.add(row)
      }
    },
    remove: (row) => {
      const name = groupOf(row.executionId)
      if (name !== undefined && groups.get(name)?.delete(row) === true && groups.get(name)?.size === 0) {
        groups.delete(name)
      }
    },
    find: (from, to) => {
      const name = from.slice(0, -1)
      const isGroup = from === name + FIRST && to === name + BEHIND_LAST && groupOf(name) === undefined
      return isGroup ? [...(groups.get(name) ?? [])] : undefined
    },
  }
}

function groupOf(executionId: string): string | undefined {
  const colon = executionId.indexOf(':')
  const mark = executionId.indexOf('!')
  const at = colon < 0 || (mark >= 0 && mark < colon) ? mark : colon
  return at < 0 ? undefined : executionId.slice(0, at)
}
