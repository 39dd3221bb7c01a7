/** Runs transactions against each other: one is held open while another begins. */

import assert from 'node:assert/strict'

import { sleep, systemClock } from '../../base/clock.ts'
import { type DurableStorage, type DurableStorageTx } from '../../storage/contract.ts'

// Long enough for a transaction that need not wait to be through. A storage that is slower loses nothing:
// the two transactions then meet in fewer ways.
const HEAD_START_MS = 40

// A refused transaction is tried again so often. Twenty rivals for one row need no more.
const TRIES = 200

/**
 * Runs `first` until it calls `pause`, then starts `second`; once that has ended, or has had time enough
 * to wait for the first, lets `first` go on. Resolves with how both ended.
 */
export async function interleave<A, B>(
  first: (pause: () => Promise<void>) => Promise<A>,
  second: () => Promise<B>,
): Promise<[PromiseSettledResult<A>, PromiseSettledResult<B>]> {
  const paused = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  const firstEnd = Promise.allSettled([
    first(() => {
      paused.resolve()
      return released.promise
    }),
  ])
  await Promise.race([paused.promise, firstEnd])
  const secondEnd = Promise.allSettled([second()])
  await Promise.race([secondEnd, sleep(systemClock, HEAD_START_MS)])
  released.resolve()
  const [[firstResult], [secondResult]] = await Promise.all([firstEnd, secondEnd])
  rethrowFailedAssertion(firstResult)
  rethrowFailedAssertion(secondResult)
  return [firstResult, secondResult]
}

/**
 * Runs the transaction again until it commits. A storage may refuse a transaction that met another one;
 * it may not refuse it for ever.
 */
export async function untilCommitted<T>(
  storage: DurableStorage,
  fn: (tx: DurableStorageTx) => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await storage.withTransaction(fn)
    } catch (error) {
      if (tries === TRIES || error instanceof assert.AssertionError) {
        throw error
      }
      await sleep(systemClock, tries % 10)
    }
  }
}

/** Whether it resolved. */
export function isFulfilled<T>(result: PromiseSettledResult<T>): result is PromiseFulfilledResult<T> {
  return result.status === 'fulfilled'
}

/** What it resolved with; fails the case if it rejected. */
export function valueOf<T>(result: PromiseSettledResult<T>): T {
  if (isFulfilled(result)) {
    return result.value
  }
  throw result.reason
}

function rethrowFailedAssertion(result: PromiseSettledResult<unknown>): void {
  if (result.status === 'rejected' && result.reason instanceof assert.AssertionError) {
    throw result.reason
  }
}
