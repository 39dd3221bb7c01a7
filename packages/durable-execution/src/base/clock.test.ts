/** Timers of any length, that hold no process and can be taken back. */

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { sleep, systemClock } from './clock.ts'
import { LIMITS } from './limits.ts'

const DAY_MS = 24 * 60 * 60 * 1_000
// The longest delay that the platform's own timers take.
const PLATFORM_MAX_MS = 2 ** 31 - 1

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('a timer', () => {
  test.each([
    1,
    1_000,
    PLATFORM_MAX_MS - 1,
    PLATFORM_MAX_MS,
    PLATFORM_MAX_MS + 1,
    35 * DAY_MS,
    3 * PLATFORM_MAX_MS + 5,
  ])('of %i ms fires then and not before', async (ms) => {
    const fn = vi.fn<() => void>()
    systemClock.setTimer(ms, fn)
    await vi.advanceTimersByTimeAsync(ms - 1)
    const before = fn.mock.calls.length
    // A timer that was walked in stretches takes one more turn.
    await vi.advanceTimersByTimeAsync(2)
    expect([before, fn.mock.calls.length]).toEqual([0, 1])
  })

  test('of a hundred years asks the platform for no delay that it cannot keep', () => {
    const delays = vi.spyOn(globalThis, 'setTimeout')
    systemClock.setTimer(LIMITS.delayMs, () => {})
    expect(delays.mock.calls.map(([, ms]) => ms)).toEqual([PLATFORM_MAX_MS])
  })

  test.each([0, -5, NaN])('of %d ms fires in a later turn', async (ms) => {
    const fn = vi.fn<() => void>()
    systemClock.setTimer(ms, fn)
    const before = fn.mock.calls.length
    await vi.advanceTimersByTimeAsync(1)
    expect([before, fn.mock.calls.length]).toEqual([0, 1])
  })

  test('that is cancelled never fires, and may be cancelled again', async () => {
    const fn = vi.fn<() => void>()
    const timer = systemClock.setTimer(5, fn)
    timer.cancel()
    timer.cancel()
    await vi.advanceTimersByTimeAsync(10)
    expect(fn).not.toHaveBeenCalled()
  })

  test('that is cancelled in its second stretch never fires', async () => {
    const fn = vi.fn<() => void>()
    const timer = systemClock.setTimer(PLATFORM_MAX_MS + DAY_MS, fn)
    await vi.advanceTimersByTimeAsync(PLATFORM_MAX_MS + 1)
    timer.cancel()
    await vi.advanceTimersByTimeAsync(2 * DAY_MS)
    expect([fn.mock.calls.length, vi.getTimerCount()]).toEqual([0, 0])
  })
})

describe('whether a timer keeps the process alive', () => {
  beforeEach(() => {
    vi.useRealTimers()
  })

  const holding = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length

  test.each([1_000, PLATFORM_MAX_MS + 1])('a timer of %i ms does not by itself', (ms) => {
    const before = holding()
    const timer = systemClock.setTimer(ms, () => {})
    const after = holding()
    timer.cancel()
    expect(after).toBe(before)
  })

  test.each([1_000, PLATFORM_MAX_MS + 1])('a timer of %i ms does when told to', (ms) => {
    const before = holding()
    const timer = systemClock.setTimer(ms, () => {}, { keepsProcessAlive: true })
    const after = holding()
    timer.cancel()
    expect(after).toBe(before + 1)
  })
})

test('sleep resolves when its time has passed', async () => {
  let isOver = false
  const sleeping = sleep(systemClock, 50).then(() => {
    isOver = true
  })
  await vi.advanceTimersByTimeAsync(49)
  const before = isOver
  await vi.advanceTimersByTimeAsync(1)
  await sleeping
  expect([before, isOver]).toEqual([false, true])
})

test('setImmediate calls in a later turn, after the microtasks of this one', async () => {
  vi.useRealTimers()
  const order: Array<string> = []
  await new Promise<void>((resolve) => {
    systemClock.setImmediate(() => {
      order.push('later turn')
      resolve()
    })
    queueMicrotask(() => order.push('microtask'))
    order.push('now')
  })
  expect(order).toEqual(['now', 'microtask', 'later turn'])
})

test('now is the time of day', () => {
  vi.setSystemTime(1_234)
  expect(systemClock.now()).toBe(1_234)
})

test('monotonicNow does not follow the time of day back', () => {
  const before = systemClock.monotonicNow()
  vi.setSystemTime(0)
  expect(systemClock.monotonicNow()).toBeGreaterThanOrEqual(before)
})
