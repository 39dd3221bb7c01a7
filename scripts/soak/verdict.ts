/** Judges what was measured: nothing may grow with the work that was done. */

import { type Sample } from './sample.ts'

/** A bound, and how far from it the run has stayed. */
export type Verdict = { bound: string; measured: number; limit: number; isKept: boolean }

/** The fewest looks from which anything follows. */
export const FEWEST_SAMPLES = 6
const FEWEST_WARM = 4

// Beside less work, what the compiler adds would look like a leak.
const FEWEST_EXECUTIONS = 50_000

const MIB = 1_048_576
const TASKS = 100_000
const HEAP_GROWTH_BYTES = MIB

// The compiler is at work for some minutes, or longer where little is done, and caches fill.
const WARM_UP_SHARE = 0.3
const WARM_UP_MOST = 5
const WARM_UP_EXECUTIONS = 40_000

// A connection more that was opened for a moment has a socket and a timer, and some ten listeners.
const SLACK = { handles: 2, listeners: 12, timers: 2, connections: 1 } as const

/**
 * SQLite begins a checkpoint after 1,000 pages of 4 KiB, and the storage asks it to leave no more than 64 MiB of the log
 * after one. A checkpoint that never comes to an end, since a reader is always in its way, makes a log grow beyond that.
 */
const WAL_BYTES = (64 + 4) * MIB

/**
 * A table is vacuumed when 20,000 and a hundredth of its rows are dead, as its own settings say. The server looks once
 * a minute and then takes its time: so beyond that there may be what three minutes of work leave.
 */
const DEAD_TUPLES = 20_000
const DEAD_SHARE = 0.01
const VACUUM_MINUTES = 3

/** The bounds that the samples speak of. */
export function verdictsOf(samples: ReadonlyArray<Sample>): Array<Verdict> {
  const warm = samples
    .slice(Math.min(WARM_UP_MOST, Math.ceil(samples.length * WARM_UP_SHARE)))
    .filter(({ executions }) => executions >= WARM_UP_EXECUTIONS)
  const executions = (warm.at(-1)?.executions ?? 0) - (warm[0]?.executions ?? 0)
  if (warm.length < FEWEST_WARM || executions < FEWEST_EXECUTIONS) {
    throw new Error(
      `Nothing follows from ${warm.length} looks after the warm-up with ${executions} executions between them; ` +
        `there must be ${FEWEST_WARM} with ${FEWEST_EXECUTIONS}. Soak for longer`,
    )
  }
  return [
    below(
      'heap: bytes for 100,000 tasks',
      slope(warm.map(({ executions, heapBytes }) => [executions, heapBytes])) * TASKS,
      HEAP_GROWTH_BYTES,
    ),
    ...(['handles', 'listeners', 'timers', 'connections'] as const).flatMap((name) => flat(name, warm)),
    ...walOf(samples),
    ...deadTuplesOf(samples),
  ]
}

function below(bound: string, measured: number, limit: number): Verdict {
  return { bound, measured: Math.round(measured), limit: Math.round(limit), isKept: measured < limit }
}

/** By how much y grows for each x: the line of the least squares. */
function slope(points: ReadonlyArray<readonly [number, number]>): number {
  const mean = (numbers: ReadonlyArray<number>): number =>
    numbers.reduce((total, number) => total + number, 0) / numbers.length
  const [meanX, meanY] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))]
  const sum = (term: (x: number, y: number) => number): number =>
    points.reduce((total, [x, y]) => total + term(x - meanX, y - meanY), 0)
  return sum((x, y) => x * y) / sum((x) => x * x)
}

/** The later half has no more than the earlier one. */
function flat(name: keyof typeof SLACK, samples: ReadonlyArray<Sample>): Array<Verdict> {
  const counts = samples.flatMap((sample) => sample[name] ?? [])
  if (counts.length === 0) {
    return []
  }
  const half = Math.ceil(counts.length / 2)
  const limit = Math.max(...counts.slice(0, half)) + SLACK[name] + 1
  return [below(`${name}: most in the later half`, Math.max(...counts.slice(half)), limit)]
}

function walOf(samples: ReadonlyArray<Sample>): Array<Verdict> {
  const sizes = samples.flatMap(({ walBytes }) => walBytes ?? [])
  return sizes.length === 0 ? [] : [below('write-ahead log: most bytes', Math.max(...sizes), WAL_BYTES)]
}

function deadTuplesOf(samples: ReadonlyArray<Sample>): Array<Verdict> {
  const last = samples.at(-1)
  const dead = samples.flatMap(({ deadTuples }) => deadTuples ?? [])
  if (last === undefined || dead.length === 0) {
    return []
  }
  const perMinute = (last.changedTuples ?? 0) / last.minutes
  const limit = DEAD_TUPLES + DEAD_SHARE * (last.liveTuples ?? 0) + VACUUM_MINUTES * perMinute
  return [below('dead tuples: most', Math.max(...dead), limit)]
}
