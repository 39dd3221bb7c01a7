/** Chance that can be played again: the same seed gives the same numbers. */

/** Gives a number from 0 up to, but without, 1. */
export type Random = () => number

/** `about` keeps the draws for one purpose from those for another. */
export function createRandom(seed: number, about: string): Random {
  let state = seed
  for (const character of about) {
    state = Math.imul(state ^ (character.codePointAt(0) ?? 0), 0x01_00_01_93)
  }
  return () => {
    state = (state + 0x6d_2b_79_f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A whole number from `least` to `most`. */
export function between(random: Random, least: number, most: number): number {
  return least + Math.floor(random() * (most - least + 1))
}
