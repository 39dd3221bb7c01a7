/** Many timers behind one: they fire when they are due, in order, unless cancelled. */

import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { createTestClock, type TestClock } from '../testing/clock.ts'
import { type Timer } from './clock.ts'
import { TimerQueue } from './timer-queue.ts'

function queueOn(clock: TestClock): { queue: TimerQueue<string>; fired: Array<[string, number]> } {
  const fired: Array<[string, number]> = []
  const queue = new TimerQueue<string>(clock, (name) => fired.push([name, clock.monotonicNow()]))
  return { queue, fired }
}

test('timers of any lengths fire at their moments', async () => {
  const clock = createTestClock()
  const { queue, fired } = queueOn(clock)
  queue.set(0, 300, 'c')
  queue.set(0, 100, 'a')
  queue.set(0, 200, 'b')
  await clock.advance(1_000)
  expect(fired).toEqual([
    ['a', 100],
    ['b', 200],
    ['c', 300],
  ])
})

test('one timer of the clock serves them all, and none is left when they are cleared', () => {
  const clock = createTestClock()
  const { queue } = queueOn(clock)
  for (let index = 0; index < 100; index += 1) {
    queue.set(0, 1_000 + (index % 3), `${index}`)
  }
  expect(clock.pendingTimers()).toBe(1)
  queue.clear()
  expect(clock.pendingTimers()).toBe(0)
})

test('a length counts from when it is said to begin, and what is over already fires at once', async () => {
  const clock = createTestClock()
  const { queue, fired } = queueOn(clock)
  await clock.advance(1_000)
  queue.set(950, 100, 'soon')
  queue.set(0, 10, 'over')
  await clock.advance(200)
  expect(fired).toEqual([
    ['over', 1_000],
    ['soon', 1_050],
  ])
})

test('lengths that add up to no exact sum come to an end', async () => {
  const clock = createTestClock()
  const { queue, fired } = queueOn(clock)
  await clock.advance(0.1)
  queue.set(clock.monotonicNow(), 0.2, 'x')
  queue.set(clock.monotonicNow(), 1 / 3, 'y')
  await clock.advance(10)
  expect(fired.map(([name]) => name)).toEqual(['x', 'y'])
})

test('a timer that is set while another fires is kept', async () => {
  const clock = createTestClock()
  const fired: Array<number> = []
  const queue: TimerQueue<number> = new TimerQueue(clock, (left) => {
    fired.push(clock.monotonicNow())
    if (left > 1) {
      queue.set(clock.monotonicNow(), 50, left - 1)
    }
  })
  queue.set(0, 50, 3)
  await clock.advance(1_000)
  expect(fired).toEqual([50, 100, 150])
})

test('what is cancelled does not fire, however many and whichever', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ ms: fc.integer({ min: 1, max: 4 }), isCancelled: fc.boolean() }), {
        maxLength: 30,
      }),
      async (given) => {
        const clock = createTestClock()
        const { queue, fired } = queueOn(clock)
        const timers: Array<Timer> = given.map(({ ms }, index) => queue.set(0, ms, `${index}`))
        given.forEach(({ isCancelled }, index) => {
          if (isCancelled) {
            timers[index]?.cancel()
            timers[index]?.cancel()
          }
        })
        await clock.advance(10)
        timers.forEach((timer) => timer.cancel())
        const expected = given.flatMap(({ ms, isCancelled }, index) =>
          isCancelled ? [] : [[`${index}`, ms]],
        )
        expect(fired.map(String).toSorted()).toEqual(expected.map(String).toSorted())
      },
    ),
    { numRuns: 50 },
  )
})

test('cancelled ones behind one that goes on for long do not keep it from firing', async () => {
  const clock = createTestClock()
  const { queue, fired } = queueOn(clock)
  queue.set(0, 60_000, 'long')
  for (let index = 0; index < 5_000; index += 1) {
    queue.set(0, 60_000, 'short').cancel()
  }
  queue.set(0, 60_000, 'last')
  await clock.advance('2m')
  expect(fired).toEqual([
    ['long', 60_000],
    ['last', 60_000],
  ])
})
