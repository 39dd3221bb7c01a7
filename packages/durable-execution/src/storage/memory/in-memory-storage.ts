/** The storage that keeps its rows in the memory of one process: the reference for all others. */

import { createConsoleLogger, type Logger } from '../../base/logger.ts'
import { type DurableStorage, type DurableStorageTx } from '../contract.ts'
import { createTransactionMutex } from '../mutex.ts'
import { createMemoryTransaction } from './memory-transaction.ts'
import { releaseRows } from './released-row.ts'
import { createRowStore, type RowStore } from './row-store.ts'
import { readSavedRows, writeSavedRows } from './saved-rows.ts'

/**
 * A storage in memory; see {@link createInMemoryStorage}.
 *
 * @category Storage
 */
export type InMemoryStorage = DurableStorage & {
  /**
   * Hands all task executions to `saveFn` as one text, which `load` reads back completely. Waits for the
   * transactions that run. Rejects with whatever `saveFn` rejects with.
   */
  save: (saveFn: (s: string) => Promise<void>) => Promise<void>
  /**
   * Replaces all task executions by those in the text that `loadFn` resolves with; an empty text empties
   * the storage. Waits for the transactions that run. Rejects with whatever `loadFn` rejects with, and with a
   * `DurableExecutionError` that is not retryable if the text is damaged; then nothing has changed.
   */
  load: (loadFn: () => Promise<string>) => Promise<void>
  /** Writes all task executions to the console. */
  logAllTaskExecutions: () => void
  /** Does nothing; there is nothing to prepare. */
  migrate: () => Promise<void>
  /** Does nothing; what the storage holds goes with it. */
  close: () => Promise<void>
  /** The same as `close`. */
  [Symbol.asyncDispose]: () => Promise<void>
}

/**
 * Creates a storage that keeps the task executions in memory. Good for tests and for simple uses, not
 * for production: what it holds ends with the process, unless `save` is called before.
 *
 * Transactions run one after another, so none may be opened inside another. A transaction that rejects
 * leaves no trace.
 *
 * @param options - `enableDebug`: whether each operation is written to `console.debug`; default false.
 *
 * @category Storage
 */
export function createInMemoryStorage(
  options?: { enableDebug?: boolean | null | undefined } | null,
): InMemoryStorage {
  const mutex = createTransactionMutex()
  const logger = options?.enableDebug === true ? createConsoleLogger('InMemoryStorage') : undefined
  let store = createRowStore()

  const oneAtATime = async <T>(work: () => T | Promise<T>): Promise<T> => {
    await mutex.acquire()
    try {
      return await work()
    } finally {
      mutex.release()
    }
  }
  const doNothing = (): Promise<void> => Promise.resolve()

  return {
    withTransaction: (fn) => oneAtATime(() => runTransaction(store, fn, logger)),
    save: async (saveFn) => {
      // The text is finished before the callback begins, which may then use the storage itself.
      const text = await oneAtATime(() => writeSavedRows(store.all()))
      await saveFn(text)
    },
    load: async (loadFn) => {
      const loaded = createRowStore()
      loaded.insert(readSavedRows(await loadFn()))
      loaded.keep()
      await oneAtATime(() => {
        store = loaded
      })
    },
    logAllTaskExecutions: () => {
      console.info(`Task executions in memory: ${store.size()}`)
      for (const row of releaseRows(store.all())) {
        console.info(JSON.stringify(row, undefined, 2))
      }
    },
    // Nobody but executors of this process can change it, and those tell each other.
    onChange: () => Promise.resolve(doNothing),
    migrate: doNothing,
    close: doNothing,
    [Symbol.asyncDispose]: doNothing,
  }
}

async function runTransaction<T>(
  store: RowStore,
  fn: (tx: DurableStorageTx) => Promise<T>,
  logger: Logger | undefined,
): Promise<T> {
  let isOver = false
  const transaction = createMemoryTransaction(store, () => isOver)
  try {
    const result = await fn(logger === undefined ? transaction : logOperations(transaction, logger))
    store.keep()
    return result
  } catch (error) {
    store.undo()
    logger?.debug('rolled back', error)
    throw error
  } finally {
    isOver = true
  }
}

/** The transaction, each operation of which writes a line with what it was given and what it answered. */
function logOperations(transaction: DurableStorageTx, logger: Logger): DurableStorageTx {
  const logged = Object.entries(transaction).map(([name, operation]) => [
    name,
    (...given: Array<never>): unknown => {
      const answer = (operation as (...given: Array<never>) => unknown)(...given)
      logger.debug(name, ...given, '→', answer)
      return answer
    },
  ])
  return Object.fromEntries(logged) as DurableStorageTx
}
