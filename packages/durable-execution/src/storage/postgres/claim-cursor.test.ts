/** Claims go on where the last one ended, for each priority, but not for long, and only for the same tasks. */

import { expect, test } from 'vitest'

import { ClaimCursor, type Places } from './claim-cursor.ts'

const FROM_START: Places = new Map()
const TAKEN = { priority: 0, startAt: 5, seq: 7 }
const PLACE = { startAt: 5, seq: 7 }

test('the first claim begins at the start, and the next one where it ended', () => {
  const cursor = new ClaimCursor()
  expect(cursor.placesFor(['a'], 0)).toEqual(FROM_START)
  cursor.gotAll(['a'], FROM_START, [TAKEN], 0)
  expect(cursor.placesFor(['a'], 1)).toEqual(new Map([[0, PLACE]]))
})

test('each priority has a place of its own, which stays while rows of others are taken', () => {
  const cursor = new ClaimCursor()
  cursor.gotAll(['a'], FROM_START, [{ priority: 3, startAt: 1, seq: 2 }, TAKEN], 0)
  cursor.gotAll(['a'], cursor.placesFor(['a'], 1), [{ priority: 0, startAt: 6, seq: 8 }], 1)
  expect(cursor.placesFor(['a'], 2)).toEqual(
    new Map([
      [3, { startAt: 1, seq: 2 }],
      [0, { startAt: 6, seq: 8 }],
    ]),
  )
})

test('with very many priorities each claim begins at the start', () => {
  const cursor = new ClaimCursor()
  const taken = Array.from({ length: 101 }, (_, priority) => ({ ...TAKEN, priority }))
  cursor.gotAll(['a'], FROM_START, taken.slice(1), 0)
  expect(cursor.placesFor(['a'], 1).size).toBe(100)
  cursor.gotAll(['a'], FROM_START, taken, 0)
  expect(cursor.placesFor(['a'], 1)).toEqual(FROM_START)
})

test('claims of other tasks begin at the start', () => {
  const cursor = new ClaimCursor()
  cursor.gotAll(['a'], FROM_START, [TAKEN], 0)
  expect(cursor.placesFor(['a', 'b'], 1)).toEqual(FROM_START)
})

test('once a second a claim begins at the start, however many went on', () => {
  const cursor = new ClaimCursor()
  cursor.gotAll(['a'], FROM_START, [TAKEN], 0)
  cursor.gotAll(['a'], cursor.placesFor(['a'], 900), [{ priority: 0, startAt: 6, seq: 8 }], 900)
  expect(cursor.placesFor(['a'], 999)).toEqual(new Map([[0, { startAt: 6, seq: 8 }]]))
  expect(cursor.placesFor(['a'], 1_000)).toEqual(FROM_START)
  expect(cursor.placesFor(['a'], -1_000)).toEqual(FROM_START)
})

test('after a claim that got less than it asked for the next one begins at the start', () => {
  const cursor = new ClaimCursor()
  cursor.gotAll(['a'], FROM_START, [TAKEN], 0)
  cursor.gotLess()
  expect(cursor.placesFor(['a'], 1)).toEqual(FROM_START)
})

test('that there are priorities is remembered for a second', () => {
  const cursor = new ClaimCursor()
  expect(cursor.hasPriorities(0)).toBe(false)
  cursor.sawPriorities(0)
  expect([cursor.hasPriorities(999), cursor.hasPriorities(1_000)]).toEqual([true, false])
})
