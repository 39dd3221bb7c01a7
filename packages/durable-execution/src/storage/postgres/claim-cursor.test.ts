/** Claims go on where the last one ended, but not for long, and only for the same tasks. */

import { expect, test } from 'vitest'

import { ClaimCursor } from './claim-cursor.ts'

const PLACE = { startAt: 5, seq: 7 }

test('the first claim begins at the start, and the next one where it ended', () => {
  const cursor = new ClaimCursor()
  expect(cursor.placeFor(['a'], 0)).toBeUndefined()
  cursor.gotAll(['a'], undefined, PLACE, 0)
  expect(cursor.placeFor(['a'], 1)).toEqual(PLACE)
})

test('claims of other tasks begin at the start', () => {
  const cursor = new ClaimCursor()
  cursor.gotAll(['a'], undefined, PLACE, 0)
  expect(cursor.placeFor(['a', 'b'], 1)).toBeUndefined()
})

test('once a second a claim begins at the start, however many went on', () => {
  const cursor = new ClaimCursor()
  cursor.gotAll(['a'], undefined, PLACE, 0)
  cursor.gotAll(['a'], PLACE, { startAt: 6, seq: 8 }, 900)
  expect(cursor.placeFor(['a'], 999)).toEqual({ startAt: 6, seq: 8 })
  expect(cursor.placeFor(['a'], 1_000)).toBeUndefined()
  expect(cursor.placeFor(['a'], -1_000)).toBeUndefined()
})

test('after a claim that got less than it asked for the next one begins at the start', () => {
  const cursor = new ClaimCursor()
  cursor.gotAll(['a'], undefined, PLACE, 0)
  cursor.gotLess()
  expect(cursor.placeFor(['a'], 1)).toBeUndefined()
})
