/** The SQLite storage: one connection, one transaction at a time. */

import { systemClock } from '../../base/clock.ts'
import { DurableExecutionError } from '../../base/errors.ts'
import { type DurableStorage } from '../contract.ts'
import { createTransactionMutex } from '../mutex.ts'
import { connect, isInFile, mainFile } from './connect.ts'
import { joinTransaction } from './join.ts'
import { createOperations } from './operations.ts'
import { checkOptions, type SqliteStorageOptions } from './options.ts'
import { assertSchema, migrateSchema } from './schema.ts'
import { runOneCall, runTransaction, type SqliteConnection } from './session.ts'
import { runShared } from './share.ts'
import { rollback } from './transaction.ts'
import { TurnShare } from './turn.ts'
import { createChangeWatch } from './watch.ts'

/**
 * A storage that keeps its rows in SQLite.
 *
 * @category SQLite
 */
export type SqliteStorage = DurableStorage & {
  /** Creates or updates the tables. Repeating it is fine, in any number of processes at once. */
  migrate: () => Promise<void>
  /**
   * Waits for the transactions that were asked for, then closes the connection, unless it is yours.
   * Repeating it is fine; any other call is refused from then on.
   */
  close: () => Promise<void>
  /** The same as `close`. */
  [Symbol.asyncDispose]: () => Promise<void>
}

/**
 * Creates a storage that keeps its rows in SQLite. It is there at once; the connection is opened, and
 * the tables created or updated, before the first transaction.
 *
 * Any number of processes may use one file at once. Transactions of one storage run one after another,
 * so one that is begun inside another of the same storage waits for ever. A database that somebody else
 * has locked is waited for up to ten seconds; then the transaction rejects with the driver's own error.
 *
 * @param options - Where the rows are, and how safely they are kept.
 * @throws A non-retryable {@link DurableExecutionError} if the options are wrong, or Node has no
 * `node:sqlite` and no `database` was given.
 *
 * @example
 * ```ts
 * import { createSqliteStorage } from 'durable-execution/sqlite'
 *
 * await using storage = createSqliteStorage({ path: 'tasks.db' })
 * ```
 *
 * @category SQLite
 */
export function createSqliteStorage(options: SqliteStorageOptions): SqliteStorage {
  const checked = checkOptions(options)
  const mutex = createTransactionMutex()
  let connection: SqliteConnection | undefined
  let isSchemaChecked = false
  let closing: Promise<void> | undefined

  const watch = createChangeWatch(() => {
    const [version] = connection?.driver.prepare('pragma data_version').all([]) ?? []
    return version?.[0] as number
  })

  const withConnection = async <T>(work: (connected: SqliteConnection) => Promise<T>): Promise<T> => {
    if (closing !== undefined) {
      throw closedError()
    }
    await mutex.acquire()
    try {
      if (connection === undefined) {
        const driver = await connect(checked)
        connection = {
          driver,
          operations: createOperations(driver),
          turn: new TurnShare(systemClock),
          isOwn: checked.isOwn,
        }
      } else if (checked.isOwn) {
        // Only there if a rollback failed: nobody else begins one on a connection of ours.
        rollback(connection.driver)
      }
      return await work(connection)
    } finally {
      mutex.release()
    }
  }

  const checkSchema = async ({ driver }: SqliteConnection): Promise<void> => {
    await (checked.migrates ? migrateSchema(driver) : assertSchema(driver))
    isSchemaChecked = true
  }
  const withSchema = <T>(work: (connected: SqliteConnection) => Promise<T>): Promise<T> =>
    withConnection((connected) =>
      isSchemaChecked ? work(connected) : checkSchema(connected).then(() => work(connected)),
    )

  const closeOnce = async (): Promise<void> => {
    await mutex.acquire()
    try {
      watch.stop()
      if (checked.isOwn) {
        connection?.driver.close()
      }
      connection = undefined
    } finally {
      mutex.release()
    }
  }
  const close = async (): Promise<void> => {
    closing ??= closeOnce()
    await closing
  }

  return {
    withTransaction: (fn, hint) =>
      withSchema((connected) =>
        hint?.oneCall === true ? runOneCall(connected, fn) : runTransaction(connected, fn),
      ),
    onChange: async (listener) =>
      await withConnection(async ({ driver }) => {
        // Nobody else can change what is only in memory.
        const remove = isInFile(driver) ? watch.add(listener) : () => {}
        return async () => remove()
      }),
    joinTransaction: async (transaction) => {
      // A handle of the user's that the storage shares is busy with that very transaction; it was set up before.
      const known = isSchemaChecked ? connection : undefined
      const file = known === undefined ? await withSchema(fileOf) : mainFile(known.driver)
      return joinTransaction(transaction, file)
    },
    shareTransaction: async (use, keep) => await withSchema((connected) => runShared(connected, use, keep)),
    migrate: async () =>
      await withConnection(async ({ driver }) => {
        await migrateSchema(driver)
        isSchemaChecked = true
      }),
    close,
    [Symbol.asyncDispose]: close,
  }
}

function fileOf({ driver }: SqliteConnection): Promise<string> {
  return Promise.resolve(mainFile(driver))
}

function closedError(): DurableExecutionError {
  return new DurableExecutionError('The SQLite storage is closed', false)
}
