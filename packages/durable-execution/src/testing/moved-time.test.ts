/** Moving time past what never comes to rest, and past what never answers. */

import { expect, test } from 'vitest'

import { createInMemoryStorage } from '../index.ts'
import { createTestClock } from './clock.ts'
import { TestKitError } from './kit-error.ts'
import { MovedTime } from './moved-time.ts'
import { createTimedExecutor } from './timed-executor.ts'

const SILENT = { logger: { debug: () => {}, info: () => {}, error: () => {} } }

test('retries without a pause and without an end are an error, not a test that hangs', async () => {
  const clock = createTestClock()
  const storage = createInMemoryStorage()
  const time = new MovedTime({ clock, storage, patienceMs: 1, longestUnrestMs: 50 })
  const { executor, process, die } = createTimedExecutor(storage, clock, SILENT, 60_000)
  time.add(process)
  const restless = executor.task({
    id: 'restless',
    timeoutMs: 1_000,
    retryOptions: { maxAttempts: Number.MAX_SAFE_INTEGER },
    run: () => {
      throw new Error('Again')
    },
  })
  await executor.start()
  await executor.enqueueTask(restless, undefined)
  await expect(time.advance(1)).rejects.toThrow(
    new TestKitError(
      'The executor did not come to rest in 50 ms of real time: something is done again and again without a pause, ' +
        'such as retries without a `baseDelayMs`',
    ),
  )
  die()
  await clock.settle()
  expect(clock.pendingTimers()).toBe(0)
})

test('a leap never outlasts a lease, even where a look for lapsed ones comes before the next renewal', async () => {
  const clock = createTestClock()
  const storage = createInMemoryStorage()
  const time = new MovedTime({ clock, storage, patienceMs: 1 })
  // The longest jitter: renewals after 11, 22 and 33 seconds, and a look for lapsed leases after 30.5.
  const doors = { random: () => 0.999 }
  const { executor, process, die } = createTimedExecutor(storage, clock, SILENT, 30_000, doors)
  time.add(process)
  let starts = 0
  const hanging = executor.task({
    id: 'hanging',
    timeoutMs: 3_600_000,
    run: async () => {
      starts += 1
      return await new Promise<never>(() => {})
    },
  })
  await executor.start()
  await time.advance(29_000)
  await executor.enqueueTask(hanging, undefined)
  await time.advance(3_000_000)
  // A run that lost its lease has a second to end before the next one begins.
  await time.advance(10_000)
  expect(starts).toBe(1)
  die()
})

test('a call that is never answered is waited for once, and time goes on', async () => {
  const clock = createTestClock()
  const storage = createInMemoryStorage()
  const time = new MovedTime({ clock, storage, patienceMs: 20 })
  let asked = 0
  time.add({
    runningIds: () => new Set(),
    callsUnderWay: () => {
      asked += 1
      return 1
    },
    isDead: () => false,
    leaseMs: 60_000,
  })
  await time.advance(1)
  const askedAtFirst = asked
  for (let step = 0; step < 100; step += 1) {
    await time.advance(1)
  }
  expect(clock.monotonicNow()).toBe(101)
  // Looked at in each step, and no more than looked at.
  expect(asked - askedAtFirst).toBeLessThan(1_000)
})
