/** Work is waited for until its time is over, and one timer serves all. */

import { expect, test } from 'vitest'

import { createTestClock } from '../testing/clock.ts'
import { TimeLimits } from './time-limits.ts'

const never = (): Promise<never> => new Promise(() => {})

test('what ends in time is passed on, whatever it is', async () => {
  const limits = new TimeLimits(createTestClock())
  expect(await limits.within(Promise.resolve(1), 10, 'late')).toBe(1)
  expect(await limits.within(2 as never, 10, 'late')).toBe(2)
  await expect(limits.within(Promise.reject(new Error('own')), 10, 'late')).rejects.toThrow('own')
})

test('what does not end in time is given up, each at its own moment', async () => {
  const clock = createTestClock()
  const limits = new TimeLimits(clock)
  const said: Array<string> = []
  for (const ms of [30, 10, 20]) {
    limits
      .within(never(), ms, `${ms}`)
      .catch((error: Error) => said.push(`${error.message} at ${clock.monotonicNow()}`))
  }
  expect(clock.pendingTimers()).toBe(1)
  await clock.advance(100)
  expect(said).toEqual(['10 at 10', '20 at 20', '30 at 30'])
})

test('where it does not linger no timer is left once nothing is waited for', async () => {
  const clock = createTestClock()
  const limits = new TimeLimits(clock)
  limits.linger(false)
  const { promise, resolve } = Promise.withResolvers<string>()
  const slow = limits.within(promise, 10, 'late')
  await limits.within(Promise.resolve(), 20, 'late')
  expect(clock.pendingTimers()).toBe(1)
  resolve('in time')
  expect(await slow).toBe('in time')
  expect(clock.pendingTimers()).toBe(0)
  limits.linger(true)
  await limits.within(Promise.resolve(), 20, 'late')
  expect(clock.pendingTimers()).toBe(1)
  limits.linger(false)
  expect(clock.pendingTimers()).toBe(0)
})

test('a timer that got lost, as one that was set while a test had the timers replaced, does not keep others from being given up', async () => {
  const clock = createTestClock()
  let isLost = true
  const limits = new TimeLimits({
    ...clock,
    setTimer: (ms, fn) => (isLost ? { cancel: () => {} } : clock.setTimer(ms, fn)),
  })
  const given: Array<string> = []
  limits.within(never(), 10, 'first').catch((error: Error) => given.push(error.message))
  isLost = false
  await clock.advance(100_000)
  limits.within(never(), 10, 'second').catch((error: Error) => given.push(error.message))
  await clock.advance(100)
  expect(given).toEqual(['first', 'second'])
})
