/** Chance, within its bounds. */

import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { jitter, systemRandom } from './random.ts'

test('random numbers lie between 0 and 1, and differ', () => {
  const drawn = Array.from({ length: 1_000 }, () => systemRandom())
  expect([drawn.every((one) => one >= 0 && one < 1), new Set(drawn).size > 900]).toEqual([true, true])
})

test('jitter stays within a tenth and gives whole milliseconds', () => {
  fc.assert(
    fc.property(fc.nat(), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (ms, drawn) => {
      const result = jitter(ms, () => drawn)
      expect(
        Number.isInteger(result) && result >= Math.floor(ms * 0.9) && result <= Math.ceil(ms * 1.1),
      ).toBe(true)
    }),
  )
})

test.each([
  [0, 900],
  [0.5, 1_000],
  [0.999_999, 1_100],
])('jitter of a second at chance %d is %i ms', (drawn, ms) => {
  expect(jitter(1_000, () => drawn)).toBe(ms)
})
