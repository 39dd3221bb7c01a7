/** A sorted collection that grows and shrinks cheaply anywhere: its items lie in short sorted chunks. */

/** Says which of two items comes first: negative, zero or positive, as for `Array.sort`. */
export type Compare<T> = (left: T, right: T) => number

/** A place in a sorted sequence. It is valid until the sequence changes. */
export type Cursor<T> = {
  /** The item at this place; undefined after the last. */
  current: () => T | undefined
  /** Goes to the next place. */
  advance: () => void
}

/** Items in the order of `compare`, under which no two items may be equal. */
export type SortedList<T> = {
  size: () => number
  add: (item: T) => void
  /** Removes the item; one that is not there is ignored. */
  remove: (item: T) => void
  /** The place of the first item. */
  begin: () => Cursor<T>
}

// Long enough that there are few chunks, short enough that shifting the items of one costs nothing.
const LONGEST_CHUNK = 512

/** Creates an empty list. Adding at the end and removing at the front cost the least. */
export function createSortedList<T>(compare: Compare<T>): SortedList<T> {
  // No chunk is empty.
  const chunks: Array<Array<T>> = []
  let size = 0
  return {
    size: () => size,
    add: (item) => {
      addTo(chunks, item, compare)
      size += 1
    },
    remove: (item) => {
      if (removeFrom(chunks, item, compare)) {
        size -= 1
      }
    },
    begin: () => cursorAtStart(chunks),
  }
}

function addTo<T>(chunks: Array<Array<T>>, item: T, compare: Compare<T>): void {
  const last = chunks.at(-1)
  if (last === undefined) {
    chunks.push([item])
    return
  }
  if (compare(item, lastOf(last)) > 0) {
    // A full chunk stays full when items come in order; halving it would leave half-empty ones behind.
    if (last.length < LONGEST_CHUNK) {
      last.push(item)
    } else {
      chunks.push([item])
    }
    return
  }
  const at = chunkFor(chunks, item, compare)
  const chunk = chunks[at] ?? last
  chunk.splice(positionIn(chunk, item, compare), 0, item)
  if (chunk.length > LONGEST_CHUNK) {
    chunks.splice(at + 1, 0, chunk.splice(LONGEST_CHUNK / 2))
  }
}

function removeFrom<T>(chunks: Array<Array<T>>, item: T, compare: Compare<T>): boolean {
  const first = chunks[0]
  // What came first most often goes first, and then there is nothing to search.
  const at = first?.[0] === item ? 0 : chunkFor(chunks, item, compare)
  const chunk = chunks[at]
  if (chunk === undefined) {
    return false
  }
  const position = chunk[0] === item ? 0 : positionIn(chunk, item, compare)
  const found = chunk[position]
  if (found === undefined || compare(found, item) !== 0) {
    return false
  }
  if (chunk.length === 1) {
    chunks.splice(at, 1)
  } else if (position === 0) {
    chunk.shift()
  } else {
    chunk.splice(position, 1)
  }
  return true
}

/** The first chunk whose last item is not before the given one; the number of chunks if there is none. */
function chunkFor<T>(chunks: Array<Array<T>>, item: T, compare: Compare<T>): number {
  return firstIndex(chunks.length, (index) => compare(lastOf(chunks[index] ?? []), item) >= 0)
}

/** The first position in the chunk whose item is not before the given one. */
function positionIn<T>(chunk: Array<T>, item: T, compare: Compare<T>): number {
  return firstIndex(chunk.length, (index) => compare(chunk[index] as T, item) >= 0)
}

function lastOf<T>(chunk: Array<T>): T {
  return chunk[chunk.length - 1] as T
}

/** The first index for which the claim holds, which then holds for all that follow; `length` if for none. */
function firstIndex(length: number, holds: (index: number) => boolean): number {
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (holds(middle)) {
      high = middle
    } else {
      low = middle + 1
    }
  }
  return low
}

function cursorAtStart<T>(chunks: Array<Array<T>>): Cursor<T> {
  let chunk = 0
  let position = 0
  return {
    current: () => chunks[chunk]?.[position],
    advance: () => {
      position += 1
      if (position >= (chunks[chunk]?.length ?? 0)) {
        chunk += 1
        position = 0
      }
    },
  }
}
