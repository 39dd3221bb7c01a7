/** When an attempt is repeated, as laws. */

import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { LIMITS } from '../base/limits.ts'
import { type DurableTaskRetryOptions } from './execution.ts'
import { nextAttemptAfterLossAt, nextAttemptAt } from './retry.ts'

const NOW = 1_000_000

const multipliers = fc.double({ min: 0.1, max: 1e6, noNaN: true })
const options: fc.Arbitrary<DurableTaskRetryOptions> = fc.record(
  {
    maxAttempts: fc.nat(10_000),
    baseDelayMs: fc.nat(Number.MAX_SAFE_INTEGER),
    delayMultiplier: multipliers,
    maxDelayMs: fc.nat(Number.MAX_SAFE_INTEGER),
  },
  { requiredKeys: ['maxAttempts'] },
)
const retries = fc.nat(10_000)

/** The pause before the retry after so many others, when there is no end of retries. */
function delayMs(retry: DurableTaskRetryOptions, made: number): number {
  return (nextAttemptAt({ ...retry, maxAttempts: Infinity }, made, NOW) ?? NaN) - NOW
}

test('there are as many retries as maxAttempts says, and no more', () => {
  fc.assert(
    fc.property(options, retries, (retry, made) => {
      expect(nextAttemptAt(retry, made, NOW) === null).toBe(made >= retry.maxAttempts)
    }),
  )
})

test('a pause is never negative, never without end, and never longer than a hundred years', () => {
  fc.assert(
    fc.property(options, retries, (retry, made) => {
      const ms = delayMs(retry, made)
      expect(ms).toBeGreaterThanOrEqual(0)
      expect(ms).toBeLessThanOrEqual(LIMITS.delayMs)
    }),
  )
})

test('a retry is due at an instant that a Date can hold', () => {
  fc.assert(
    fc.property(options, retries, (retry, made) => {
      expect(new Date(NOW + delayMs(retry, made)).getTime()).not.toBeNaN()
    }),
  )
})

test('a pause is never longer than maxDelayMs', () => {
  fc.assert(
    fc.property(options, retries, (retry, made) => {
      expect(delayMs(retry, made)).toBeLessThanOrEqual(retry.maxDelayMs ?? Infinity)
    }),
  )
})

test('without a base delay there is no pause, however often it is multiplied', () => {
  fc.assert(
    fc.property(options, retries, (retry, made) => {
      expect(delayMs({ ...retry, baseDelayMs: undefined }, made)).toBe(0)
      expect(delayMs({ ...retry, baseDelayMs: 0 }, made)).toBe(0)
    }),
  )
})

test('with a multiplier of 1 and more each pause is at least as long as the one before', () => {
  fc.assert(
    fc.property(options, retries, (retry, made) => {
      const growing = { ...retry, delayMultiplier: Math.max(1, retry.delayMultiplier ?? 1) }
      expect(delayMs(growing, made + 1)).toBeGreaterThanOrEqual(delayMs(growing, made))
    }),
  )
})

test('with a multiplier below 1 no pause is longer than the one before', () => {
  fc.assert(
    fc.property(
      options,
      retries,
      fc.double({ min: 0.1, max: 1, noNaN: true }),
      (retry, made, delayMultiplier) => {
        const shrinking = { ...retry, delayMultiplier }
        expect(delayMs(shrinking, made + 1)).toBeLessThanOrEqual(delayMs(shrinking, made))
      },
    ),
  )
})

test('the pauses of 100 ms doubled are 100, 200, 400 and so on up to the longest', () => {
  const retry = { maxAttempts: 9, baseDelayMs: 100, delayMultiplier: 2, maxDelayMs: 500 }
  expect([0, 1, 2, 3].map((made) => delayMs(retry, made))).toEqual([100, 200, 400, 500])
})

test('after the first loss the next attempt is due at once', () => {
  expect(nextAttemptAfterLossAt(1, NOW)).toBe(NOW)
})

test('after further losses it is due after 1, 2, 4 seconds and so on', () => {
  expect([2, 3, 4].map((losses) => nextAttemptAfterLossAt(losses, NOW) - NOW)).toEqual([1_000, 2_000, 4_000])
})

test('after a loss the pause never shrinks and is never longer than a minute', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100_000 }), (losses) => {
      const ms = nextAttemptAfterLossAt(losses, NOW) - NOW
      expect(ms).toBeLessThanOrEqual(60_000)
      expect(nextAttemptAfterLossAt(losses + 1, NOW) - NOW).toBeGreaterThanOrEqual(ms)
    }),
  )
})
