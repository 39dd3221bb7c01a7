/** The one door to chance. */

/** Draws a number from 0 (inclusive) to 1 (exclusive). */
export type Random = () => number

/** The machine's own random numbers; good for jitter, not for secrets. */
export const systemRandom: Random = () => Math.random()

/** `ms`, give or take a tenth, so that many processes do not act in step. */
export function jitter(ms: number, random: Random): number {
  return Math.round(ms * (0.9 + 0.2 * random()))
}
