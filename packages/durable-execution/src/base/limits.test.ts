/** The limits make sense, each by itself and beside the others. */

import { expect, test } from 'vitest'

import { LIMITS } from './limits.ts'

test.each(Object.entries(LIMITS))('%s is a positive whole number', (_, limit) => {
  expect(Number.isSafeInteger(limit) && limit > 0).toBe(true)
})

test.each([
  ['pollMs', 'expireMs'],
  ['cancelCheckMs', 'expireMs'],
  ['userBackoffMs', 'userTriesMs'],
  ['lossBackoffMs', 'lossBackoffMaxMs'],
  ['childrenErrorsKept', 'childrenPerParent'],
  ['expireMs', 'delayMs'],
] as const)('%s is less than %s', (less, more) => {
  expect(LIMITS[less]).toBeLessThan(LIMITS[more])
})

test('the longest delay still gives a date', () => {
  expect(Number.isNaN(new Date(Date.now() + LIMITS.delayMs).getTime())).toBe(false)
})
