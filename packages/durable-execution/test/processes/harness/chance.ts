/** Chance from a seed: the same seed draws the same numbers, in any process. */

const STEP = 0x9e3779b1
const SPREAD = 0x85ebca6b

/** Draws numbers from 0 (inclusive) to 1 (exclusive). */
export function seededRandom(seed: number): () => number {
  // Seeds are often neighbours, and beyond 32 bits: both halves count, and each step is spread over all bits.
  let state = spread((seed % 2 ** 32) ^ spread(Math.floor(seed / 2 ** 32)))
  return () => {
    state = (state + STEP) >>> 0
    return spread(state) / 2 ** 32
  }
}

function spread(number: number): number {
  const once = Math.imul(number ^ (number >>> 15), SPREAD)
  const twice = Math.imul(once ^ (once >>> 13), STEP)
  return (twice ^ (twice >>> 16)) >>> 0
}

/** A whole number from the first to the last, both included. */
export function between(random: () => number, first: number, last: number): number {
  return first + Math.floor(random() * (last - first + 1))
}

/** One of them. */
export function oneOf<T>(random: () => number, items: readonly [T, ...Array<T>]): T {
  return items[Math.floor(random() * items.length)] ?? items[0]
}

/** The same items in any order. */
export function shuffled<T>(items: ReadonlyArray<T>, random: () => number): Array<T> {
  const keyed = items.map((item) => ({ item, key: random() }))
  return keyed.toSorted((one, other) => one.key - other.key).map(({ item }) => item)
}
