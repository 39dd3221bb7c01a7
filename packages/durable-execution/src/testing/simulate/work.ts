/** What simulated tasks do: their input says it whole, so that what must come of it can be computed. */

import { type Chance } from './chance.ts'

/** One piece of work. */
export type Work =
  | { kind: 'plain'; value: number; ms: number }
  /** Fails that many times, and is retried. */
  | { kind: 'flaky'; value: number; ms: number; failures: number }
  | { kind: 'failing'; ms: number }
  /** Goes on beyond its timeout; `obeys`: it stops when it is told to. */
  | { kind: 'slow'; obeys: boolean }
  | { kind: 'tree'; value: number; children: ReadonlyArray<Work>; end: 'none' | 'sum' | 'tree' }
  /** Members that add one each. */
  | { kind: 'sequence'; value: number; members: 2 | 3 }

/** What comes of it when nobody cancels it: its output, or undefined if it ends badly. */
export function expectedOf(work: Work): number | undefined {
  switch (work.kind) {
    case 'plain':
      return work.value
    case 'flaky':
      return work.failures <= FLAKY_RETRIES ? work.value : undefined
    case 'failing':
    case 'slow':
      return undefined
    case 'sequence':
      return work.value + work.members
    case 'tree': {
      const outputs = work.children.map(expectedOf)
      return outputs.includes(undefined)
        ? undefined
        : outputs.reduce<number>((sum, output) => sum + (output ?? 0), work.value)
    }
  }
}

/** How often a flaky task is retried. */
export const FLAKY_RETRIES = 2

/** Draws some work; `room` bounds how many executions it may become. */
export function drawWork(chance: Chance, room: number, depth: number = 0): Work {
  const value = chance.between(1, 99)
  const ms = chance.happens(0.5) ? 0 : chance.between(1, 3_000)
  const dice = chance.random()
  if (room > 3 && depth < 3 && dice < (depth === 0 ? 0.5 : 0.3)) {
    return drawTree(chance, room, depth, value)
  }
  if (dice < 0.6) {
    return { kind: 'plain', value, ms }
  }
  if (dice < 0.8) {
    return { kind: 'flaky', value, ms, failures: chance.between(0, FLAKY_RETRIES + (depth === 0 ? 1 : 0)) }
  }
  if (dice < 0.92 || room < 3) {
    return depth === 0 || chance.happens(0.3) ? { kind: 'failing', ms } : { kind: 'plain', value, ms }
  }
  if (dice < 0.96) {
    return { kind: 'slow', obeys: chance.happens(0.5) }
  }
  return { kind: 'sequence', value, members: chance.pick([2, 3]) }
}

function drawTree(chance: Chance, room: number, depth: number, value: number): Work {
  const count = chance.between(0, Math.min(room - 2, 5))
  const each = Math.floor((room - 2 - count) / Math.max(count, 1))
  const children = Array.from({ length: count }, () => drawWork(chance, each, depth + 1))
  return { kind: 'tree', value, children, end: chance.pick(['none', 'sum', 'sum', 'tree']) }
}

/** The task that does such work. A tree without a finalize task gives an output of another shape. */
export function taskIdOf(work: Work): string {
  switch (work.kind) {
    case 'tree':
      return `tree_${work.end}`
    case 'sequence':
      return `sequence_${work.members}`
    default:
      return work.kind
  }
}
