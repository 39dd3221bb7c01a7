import { expect, test } from 'vitest'

import { chunks } from '../src/engines/callers.ts'
import { createTally } from '../src/engines/tally.ts'
import { costOf, metricsOf } from '../src/measure/metrics.ts'
import { median, quantile } from '../src/measure/quantile.ts'

test('a median is the middle value, or the mean of the two in the middle', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([4, 1, 3, 2])).toBe(2.5)
  expect(median([7])).toBe(7)
  expect(median([])).toBeNaN()
})

test('a quantile is a value that was measured', () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index)
  expect(quantile(values, 0.5)).toBe(51)
  expect(quantile(values, 0.95)).toBe(96)
  expect(quantile(values, 1)).toBe(100)
  expect(quantile([], 0.5)).toBeNaN()
})

test('costs are microseconds for each, and what nobody counted is no figure', () => {
  const usage = { seconds: 2, nodeSeconds: 1, serverSeconds: undefined, othersPercent: 12 }
  expect(costOf(usage, 1_000, 'Task')).toEqual({ nodeMicrosPerTask: 1_000, othersPercent: 12 })
  expect(costOf({ ...usage, serverSeconds: 0.5 }, 100, 'Workflow')).toEqual({
    nodeMicrosPerWorkflow: 10_000,
    serverMicrosPerWorkflow: 5_000,
    othersPercent: 12,
  })
  expect(metricsOf({ seconds: 0, rssMb: undefined })).toEqual({ seconds: 0 })
})

test('a tally tells when there is enough, also to whom it was already', async () => {
  const tally = createTally()
  const reached = tally.reached(3)
  tally.add(1)
  tally.add(2)
  await reached
  await tally.reached(2)
  tally.reset()
  const again = tally.reached(1)
  tally.add(1)
  await again
})

test('chunks are as large as they may be, and the last one is the rest', () => {
  expect(chunks(5, 2)).toEqual([[0, 1], [2, 3], [4]])
  expect(chunks(0, 2)).toEqual([])
})
