/** Runs one transaction against whatever storage it is, and says how that went. */

import { type Clock, type Millis } from '../base/clock.ts'
import { DurableExecutionError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { jitter, type Random } from '../base/random.ts'
import { type DurableStorage, type DurableStorageTx } from '../storage/contract.ts'

export type TransactionHint = { oneCall?: boolean }

/** Runs `fn` in a transaction; rejects with what the storage or `fn` threw. */
export type Transact = <T>(fn: (tx: DurableStorageTx) => Promise<T>, hint?: TransactionHint) => Promise<T>

/** Told of every answer of the storage, for the health report. */
export type StorageObserver = { onAnswer: () => void; onFailure: (error: unknown) => void }

/**
 * One transaction, tried once. It is given up after `limitMs`: what becomes of it then is unknown, as
 * it is for any transaction whose commit was not acknowledged.
 */
export function createTransact(
  storage: DurableStorage,
  clock: Clock,
  observer: StorageObserver,
  limitMs: Millis = LIMITS.storageCallMs,
): Transact {
  return async (fn, hint) => {
    let timer: { cancel: () => void } | undefined
    try {
      const answer = await Promise.race([
        // Looked up at each call: a wrapper may put another function there.
        storage.withTransaction(fn, hint),
        new Promise<never>((_, reject) => {
          timer = clock.setTimer(limitMs, () => {
            reject(new Error(`The storage did not answer within ${limitMs} ms`))
          })
        }),
      ])
      observer.onAnswer()
      return answer
    } catch (error) {
      // An error of ours comes from inside the transaction: the storage did answer.
      if (!(error instanceof DurableExecutionError)) {
        observer.onFailure(error)
      }
      throw error
    } finally {
      timer?.cancel()
    }
  }
}

/**
 * The same for calls that a user waits for: a few tries within two seconds, then the storage's own
 * error. A non-retryable error of ours is passed on at once.
 */
export async function withUserTries<T>(
  attempt: (tries: number) => Promise<T>,
  clock: Clock,
  random: Random,
): Promise<T> {
  const startedAt = clock.monotonicNow()
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt(tries)
    } catch (error) {
      const isFinal = error instanceof DurableExecutionError && !error.isRetryable
      const pauseMs = jitter(LIMITS.userBackoffMs * 2 ** (tries - 1), random)
      const isLate = clock.monotonicNow() - startedAt + pauseMs > LIMITS.userTriesMs
      if (isFinal || isLate || tries >= LIMITS.userTries) {
        throw error
      }
      await new Promise<void>((resolve) => {
        clock.setTimer(pauseMs, resolve, { keepsProcessAlive: true })
      })
    }
  }
}
