/** A loop goes on whatever its step answers or throws, forgets no wake, and tells since when it has failed. */

import { expect, test } from 'vitest'

import { LIMITS } from '../base/limits.ts'
import { createTestClock, type TestClock } from '../testing/clock.ts'
import { Loop } from './loop.ts'

function loopOf(clock: TestClock, step: () => Promise<number>): Loop {
  return new Loop({ name: 'test', clock, random: () => 0.5, step, onError: () => {} })
}

test('a pause that is no number is the longest one', async () => {
  const clock = createTestClock()
  const doneAt: Array<number> = []
  const loop = loopOf(clock, () => {
    doneAt.push(clock.monotonicNow())
    return Promise.resolve(Number.NaN)
  })
  loop.start()
  await clock.advance(LIMITS.backgroundBackoffMs * 2)
  expect(doneAt).toEqual([0, LIMITS.backgroundBackoffMs, 2 * LIMITS.backgroundBackoffMs])
  await loop.stop()
})

test('a wake that comes while it is at its step leads to another one at once', async () => {
  const clock = createTestClock()
  let steps = 0
  const loop = loopOf(clock, () => {
    steps += 1
    if (steps === 1) {
      loop.wake()
    }
    return Promise.resolve(60_000)
  })
  loop.start()
  await clock.advance(1)
  expect(steps).toBe(2)
  await clock.advance(59_000)
  expect(steps).toBe(2)
  await loop.stop()
})

test('a wake does not cut short the pause after an error', async () => {
  const clock = createTestClock()
  const doneAt: Array<number> = []
  const loop = loopOf(clock, () => {
    doneAt.push(clock.monotonicNow())
    return doneAt.length <= 2 ? Promise.reject(new Error('away')) : Promise.resolve(60_000)
  })
  loop.start()
  await clock.advance(10)
  loop.wake()
  await clock.advance(39)
  expect(doneAt).toEqual([0])
  await clock.advance(1)
  expect(doneAt).toEqual([0, 50])
  await clock.advance(100)
  expect(doneAt).toEqual([0, 50, 150])
  loop.wake()
  await clock.advance(1)
  expect(doneAt).toHaveLength(4)
  await loop.stop()
})

test('it tells since when each step has failed, and with what, until one succeeds or it is stopped', async () => {
  const clock = createTestClock()
  let error: Error | undefined
  const loop = loopOf(clock, () => (error === undefined ? Promise.resolve(1_000) : Promise.reject(error)))
  loop.start()
  await clock.advance('2500ms')
  expect(loop.failing).toBeUndefined()
  error = new Error('no')
  await clock.advance('20s')
  expect(loop.failing).toEqual({ since: 3_000, error })
  error = undefined
  await clock.advance('10s')
  expect(loop.failing).toBeUndefined()
  error = new Error('no again')
  await clock.advance('2s')
  await loop.stop()
  expect(loop.failing).toBeUndefined()
})
