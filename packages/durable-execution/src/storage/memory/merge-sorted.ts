/** Walks several sorted sequences as if they were one. */

import { type Compare, type Cursor } from './sorted-list.ts'

/** A cursor over the items of all the given ones, in the order of `compare`. */
export function mergeSorted<T>(cursors: Array<Cursor<T>>, compare: Compare<T>): Cursor<T> {
  const only = cursors[0]
  if (only !== undefined && cursors.length === 1) {
    return only
  }
  // The cursors that are not at their end, sorted by the items they stand at. After a step only the
  // first may stand wrong, and most often only a little.
  const heads: Array<{ item: T; cursor: Cursor<T> }> = []
  for (const cursor of cursors) {
    const item = cursor.current()
    if (item !== undefined) {
      heads.push({ item, cursor })
    }
  }
  heads.sort((left, right) => compare(left.item, right.item))
  return {
    current: () => heads[0]?.item,
    advance: () => {
      const head = heads[0]
      if (head === undefined) {
        return
      }
      head.cursor.advance()
      const item = head.cursor.current()
      if (item === undefined) {
        heads.shift()
        return
      }
      head.item = item
      let place = 0
      for (let next = heads[1]; next !== undefined && compare(next.item, item) < 0; next = heads[place + 1]) {
        heads[place] = next
        place += 1
      }
      heads[place] = head
    },
  }
}
