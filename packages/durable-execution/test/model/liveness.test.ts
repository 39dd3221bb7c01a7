/** The walk backwards from the settled worlds. */

import { expect, test } from 'vitest'

import { cannotSettle } from '../../src/testing/explore/liveness.ts'

test('worlds in a line all come to the end of the line', () => {
  expect(cannotSettle(3, [0, 1], [1, 2], [2])).toBe(undefined)
})

test('a world without a way to the end is found', () => {
  expect(cannotSettle(4, [0, 1, 0], [1, 3, 2], [3])).toBe(2)
})

test('a circle that leads nowhere is found', () => {
  expect(cannotSettle(4, [0, 0, 1, 2], [3, 1, 2, 1], [3])).toBe(1)
})

test('a circle with a way out is fine', () => {
  expect(cannotSettle(3, [0, 1, 1], [1, 0, 2], [2])).toBe(undefined)
})
