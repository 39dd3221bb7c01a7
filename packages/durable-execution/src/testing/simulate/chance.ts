/** Chance that can be had again: numbers drawn from a seed. */

import { type Random } from '../../base/random.ts'

/** Draws from one seed. Two with the same seed draw the same. */
export type Chance = {
  /** From 0 (inclusive) to 1 (exclusive). */
  random: Random
  /** A whole number from `least` to `most`, both included. */
  between: (least: number, most: number) => number
  /** True with that probability. */
  happens: (probability: number) => boolean
  pick: <T>(items: ReadonlyArray<T>) => T
  /** Another source, whose draws do not change those of this one. */
  branch: (name: string) => Chance
}

/** Chance from a seed. */
export function chanceOf(seed: string): Chance {
  const random = mulberry(hash(seed))
  const between = (least: number, most: number): number => least + Math.floor(random() * (most - least + 1))
  return {
    random,
    between,
    happens: (probability) => random() < probability,
    pick: <T>(items: ReadonlyArray<T>): T => items[between(0, items.length - 1)] as T,
    branch: (name) => chanceOf(`${seed}/${name}`),
  }
}

/** A 32-bit hash of a text (FNV-1a), folded into `before`. */
export function hash(text: string, before: number = 0x811c9dc5): number {
  let value = before
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  }
  return value >>> 0
}

// Mulberry32: 32 bits of state are enough for schedules of some thousands of steps.
function mulberry(seed: number): Random {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
