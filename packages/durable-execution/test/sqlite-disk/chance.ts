/** Chance that is the same each time: numbers drawn from a seed. */

import { type Random } from '../../src/base/random.ts'

/** Draws numbers from 0 (inclusive) to 1 (exclusive), the same ones for the same seed. */
export function randomOf(seed: number): Random {
  let count = seed >>> 0
  return () => {
    // A counter, mixed: enough to spread what a test picks.
    count = (count + 0x9e3779b9) >>> 0
    let mixed = Math.imul(count ^ (count >>> 16), 0x85ebca6b)
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32
  }
}

/** A whole number from `least` (inclusive) to `most` (exclusive). */
export function wholeBetween(random: Random, least: number, most: number): number {
  return least + Math.floor(random() * (most - least))
}
