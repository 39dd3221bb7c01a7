/** What blocks the process has a share of each turn of the event loop. */

import { expect, test } from 'vitest'

import { type Clock } from '../../base/clock.ts'
import { createTestClock } from '../../testing/clock.ts'
import { TurnShare } from './turn.ts'

test('the share of a turn is two milliseconds from its first transaction on', async () => {
  let now = 100
  const later: Array<() => void> = []
  const clock: Clock = { ...createTestClock(), monotonicNow: () => now, setImmediate: (fn) => later.push(fn) }
  const turn = new TurnShare(clock)
  expect(turn.isLeft).toBe(true)
  now = 101.9
  expect(turn.isLeft).toBe(true)
  now = 102
  expect(turn.isLeft).toBe(false)
  const next = turn.next()
  for (const fn of later.splice(0)) {
    fn()
  }
  await next
  expect(turn.isLeft).toBe(true)
  // The turn is asked for once.
  expect(later).toHaveLength(1)
})
