/** The judge of a soak: a run that holds no more in the end than before passes, and each way of growing is found out. */

import { expect, test } from 'vitest'

import { type Sample } from '../../../../scripts/soak/sample.ts'
import { verdictsOf } from '../../../../scripts/soak/verdict.ts'

const MIB = 1_048_576
const TASKS_A_MINUTE = 50_000

/** Ten minutes of a sound run: the heap goes up and down, and the first minutes are the compiler's. */
function samples(change: (sample: Sample) => Partial<Sample> = () => ({})): Array<Sample> {
  return Array.from({ length: 10 }, (_, index) => {
    const minutes = index + 1
    const sample: Sample = {
      minutes,
      executions: minutes * TASKS_A_MINUTE,
      heapBytes: (index < 3 ? 12 + 2 * index : 20 + 0.2 * (index % 2)) * MIB,
      rssBytes: 100 * MIB,
      handles: 8,
      listeners: 30,
      timers: 5,
      walBytes: 4 * MIB,
      deadTuples: 40_000,
      liveTuples: minutes * TASKS_A_MINUTE,
      changedTuples: 2 * minutes * TASKS_A_MINUTE,
      connections: 6,
    }
    return { ...sample, ...change(sample) }
  })
}

const broken = (all: ReadonlyArray<Sample>): Array<string> =>
  verdictsOf(all)
    .filter(({ isKept }) => !isKept)
    .map(({ bound }) => bound.split(':')[0] ?? '')

test('a run that grows in its first minutes only keeps all bounds', () => {
  expect(broken(samples())).toEqual([])
  expect(verdictsOf(samples())).toHaveLength(7)
})

test.for<[string, (sample: Sample) => Partial<Sample>]>([
  ['heap', ({ executions, heapBytes }) => ({ heapBytes: heapBytes + (1.3 * MIB * executions) / 100_000 })],
  ['handles', ({ minutes, handles }) => ({ handles: handles + 2 * minutes })],
  ['listeners', ({ minutes, listeners }) => ({ listeners: listeners + 6 * minutes })],
  ['timers', ({ minutes, timers }) => ({ timers: timers + 2 * minutes })],
  ['connections', ({ minutes, connections = 0 }) => ({ connections: connections + minutes })],
  ['write-ahead log', ({ minutes }) => ({ walBytes: minutes * 8 * MIB })],
  // Nobody vacuums.
  ['dead tuples', ({ changedTuples = 0 }) => ({ deadTuples: changedTuples })],
])('it is found out that there are ever more: %s', ([bound, change]) => {
  expect(broken(samples(change))).toEqual([bound])
})

test('a heap that grows by less than the bound is let be', () => {
  expect(
    broken(
      samples(({ executions, heapBytes }) => ({ heapBytes: heapBytes + (0.7 * MIB * executions) / 100_000 })),
    ),
  ).toEqual([])
})

test('a storage is judged by what it has', () => {
  const ofMemory = samples().map(
    ({ minutes, executions, heapBytes, rssBytes, handles, listeners, timers }) => ({
      minutes,
      executions,
      heapBytes,
      rssBytes,
      handles,
      listeners,
      timers,
    }),
  )
  expect(verdictsOf(ofMemory)).toHaveLength(4)
})

test('a run that was too short, or did too little, is not judged', () => {
  expect(() => verdictsOf(samples().slice(0, 5))).toThrow('Nothing follows from 3 looks')
  const idle = samples(({ minutes }) => ({ executions: 8_000 * minutes }))
  expect(() => verdictsOf(idle)).toThrow('40000 executions')
})
