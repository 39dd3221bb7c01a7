/** One transaction at a time, for storages that cannot run them in parallel. */

/**
 * A transaction mutex returned by {@link createTransactionMutex}.
 *
 * @category Storage
 */
export type TransactionMutex = {
  /** Resolves when it is the caller's turn; the turns come in the order of asking. */
  acquire: () => Promise<void>
  /** Ends the turn. */
  release: () => void
}

/**
 * Creates a mutex with which a storage runs its transactions one after another. Only for storages
 * that do not support transactions in parallel.
 *
 * @example
 * ```ts
 * import { createTransactionMutex } from 'durable-execution'
 *
 * const mutex = createTransactionMutex()
 *
 * async function oneAtATime<T>(fn: () => Promise<T>): Promise<T> {
 *   await mutex.acquire()
 *   try {
 *     return await fn()
 *   } finally {
 *     mutex.release()
 *   }
 * }
 * ```
 *
 * @category Storage
 */
export function createTransactionMutex(): TransactionMutex {
  let isHeld = false
  let waiting: Array<() => void> = []
  let next = 0
  return {
    acquire: () => {
      if (!isHeld) {
        isHeld = true
        return Promise.resolve()
      }
      return new Promise((resolve) => {
        waiting.push(resolve)
      })
    },
    release: () => {
      const resolve = waiting[next]
      if (resolve === undefined) {
        isHeld = false
        return
      }
      next += 1
      // Taking from the front of a long array is slow: the served part is dropped once it is the larger one.
      if (next === waiting.length || (next > 1_000 && next * 2 > waiting.length)) {
        waiting = waiting.slice(next)
        next = 0
      }
      resolve()
    },
  }
}
