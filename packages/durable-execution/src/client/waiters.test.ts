/** Who waits is told, or looks now and then; and the process does not end meanwhile. */

import { expect, test } from 'vitest'

import { type Clock } from '../base/clock.ts'
import { createTestClock, type TestClock } from '../testing/clock.ts'
import { Waiters } from './waiters.ts'

/** Waiters on a clock that says how many timers keep the process alive. */
function open(): { waiters: Waiters; clock: TestClock; alive: () => number } {
  const clock = createTestClock()
  let alive = 0
  const counting: Clock = {
    ...clock,
    setTimer: (ms, fn, options) => {
      const keeps = options?.keepsProcessAlive === true ? 1 : 0
      alive += keeps
      const timer = clock.setTimer(ms, fn, options)
      return {
        cancel: () => {
          alive -= keeps
          timer.cancel()
        },
      }
    },
  }
  return { waiters: new Waiters(counting, () => {}), clock, alive: () => alive }
}

test('while somebody waits the process is kept alive, by one timer for all', async () => {
  const { waiters, clock, alive } = open()
  const waits = ['a', 'b'].map((id) => waiters.listen(id, undefined))
  const nexts = waits.map(async (one) => await one.next(1_000))
  expect(alive()).toBe(1)
  waiters.told(['a'])
  expect(await nexts[0]).toEqual({ hasEnded: true, row: undefined })
  expect(alive()).toBe(1)
  waiters.told(['b'])
  await nexts[1]
  expect(alive()).toBe(0)
  expect(clock.pendingTimers()).toBe(0)
})

test('an executor that works keeps it alive, and those who still wait when it stops do so themselves', async () => {
  const { waiters, clock, alive } = open()
  waiters.processIsAlive(true)
  const next = waiters.listen('a', undefined).next(1_000)
  expect(alive()).toBe(0)
  waiters.processIsAlive(false)
  expect(alive()).toBe(1)
  waiters.toldAll()
  expect(await next).toEqual({ hasEnded: false, row: undefined })
  expect(alive()).toBe(0)
  expect(clock.pendingTimers()).toBe(0)
})

test('each looks after its own interval', async () => {
  const { waiters, clock } = open()
  const looked: Array<string> = []
  for (const [id, ms] of [
    ['slow', 300],
    ['quick', 100],
  ] as const) {
    void waiters
      .listen(id, undefined)
      .next(ms)
      .then(() => looked.push(`${id} at ${clock.monotonicNow()}`))
  }
  await clock.advance(1_000)
  expect(looked).toEqual(['quick at 100', 'slow at 300'])
})
