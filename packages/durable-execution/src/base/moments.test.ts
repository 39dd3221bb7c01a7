/** Dates of one answer are right, and mostly the same ones. */

import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { Moments } from './moments.ts'

test('a moment is the date of its milliseconds, whatever was asked for before', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 9 })), (asked) => {
      const moments = new Moments()
      for (const ms of asked) {
        expect(moments.of(ms).getTime()).toBe(ms)
      }
    }),
  )
})

test('moments that alternate are the same dates again', () => {
  const moments = new Moments()
  const first = [1, 2, 3, 4].map((ms) => moments.of(ms))
  const second = [4, 2, 1, 3].map((ms) => moments.of(ms))
  expect(new Set([...first, ...second]).size).toBe(4)
})
