/** The options of the SQLite storage, and what is wrong with them. */

import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

import { DurableExecutionError } from '../../base/errors.ts'
import { betterDriver, type BetterSqlite3Database } from './better-driver.ts'
import { type SqliteDriver } from './driver.ts'
import { assertNodeSqlite, nodeDriver, type NodeSqliteDatabase, openNodeDatabase } from './node-driver.ts'

/**
 * The options of {@link createSqliteStorage}: either a `path` or a `database`.
 *
 * @category SQLite
 */
export type SqliteStorageOptions = SqliteStorageSource & {
  /**
   * `FULL` (default): what is committed survives a power cut. `NORMAL`: it survives the crash of any
   * process, but the last commits may be lost with the power.
   */
  synchronous?: 'FULL' | 'NORMAL' | undefined
  /** Whether the tables are created or updated before the first transaction; default true. */
  migrate?: boolean | undefined
}

/**
 * Where the rows are.
 *
 * @category SQLite
 */
export type SqliteStorageSource =
  | {
      /**
       * A file, made if it is not there, whose folder exists; or `:memory:`. Opened with `node:sqlite`: a
       * program that has the same file open with better-sqlite3 passes that handle as `database` instead,
       * since two copies of SQLite in one process do not see each other's locks.
       */
      path: string
      database?: undefined
    }
  | {
      /**
       * A handle of your own: a `DatabaseSync` of `node:sqlite`, or one of better-sqlite3. It is not
       * closed. A file is put into WAL mode, and `synchronous` is set; nothing else is changed, so its
       * busy timeout stays yours, and blocks the process for as long. While you have a transaction open
       * on it the storage waits; use it for nothing else inside a transaction of the storage.
       */
      database: NodeSqliteDatabase | BetterSqlite3Database
      path?: undefined
    }

/** The options, checked, with what they leave out. */
export type CheckedOptions = {
  /** Whether the storage opened, and will close, the connection. */
  readonly isOwn: boolean
  readonly connect: () => SqliteDriver
  readonly synchronous: 'FULL' | 'NORMAL'
  readonly migrates: boolean
}

/** Checks the options. Throws a non-retryable error that says what to do. */
export function checkOptions(options: SqliteStorageOptions): CheckedOptions {
  // Plain JavaScript may pass anything, and null means "not given".
  const given: Record<string, unknown> = { ...options }
  const path = given['path'] ?? undefined
  const database = given['database'] ?? undefined
  const synchronous = given['synchronous'] ?? 'FULL'
  if (synchronous !== 'FULL' && synchronous !== 'NORMAL') {
    throw invalid('`synchronous` must be `FULL` or `NORMAL`')
  }
  const migrates = given['migrate'] ?? true
  if (typeof migrates !== 'boolean') {
    throw invalid('`migrate` must be true or false')
  }
  if ((path === undefined) === (database === undefined)) {
    throw invalid('give either `path` or `database`')
  }
  if (path === undefined) {
    const driver = driverOf(database, 'Invalid options of the SQLite storage: `database`')
    return { isOwn: false, connect: () => driver, synchronous, migrates }
  }
  const file = checkPath(path)
  assertNodeSqlite()
  return { isOwn: true, connect: () => nodeDriver(openNodeDatabase(file)), synchronous, migrates }
}

function checkPath(path: unknown): string {
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    throw invalid('`path` must be the name of a file, or `:memory:`')
  }
  // A `file:` name is SQLite's own to read.
  if (path !== ':memory:' && !path.startsWith('file:') && !existsSync(dirname(resolve(path)))) {
    throw invalid(`the folder ${dirname(resolve(path))} does not exist. Create it first`)
  }
  return path
}

/** The driver of a handle, told by its members; `what` begins the error if it is none. */
export function driverOf(database: unknown, what: string): SqliteDriver {
  if (isObjectWith(database, ['exec', 'prepare', 'close'])) {
    if ('isTransaction' in database && 'isOpen' in database) {
      return nodeDriver(database as unknown as NodeSqliteDatabase)
    }
    if ('inTransaction' in database && 'open' in database) {
      return betterDriver(database as unknown as BetterSqlite3Database)
    }
  }
  throw new DurableExecutionError(
    `${what} must be a DatabaseSync of node:sqlite (Node 22.16 or later) or a better-sqlite3 handle (12 or later)`,
    false,
  )
}

function isObjectWith(value: unknown, methods: Array<string>): value is Record<string, unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    methods.every((method) => typeof (value as Record<string, unknown>)[method] === 'function')
  )
}

function invalid(reason: string): DurableExecutionError {
  return new DurableExecutionError(`Invalid options of the SQLite storage: ${reason}`, false)
}
