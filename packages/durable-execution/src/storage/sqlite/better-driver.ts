/** The SQLite of better-sqlite3, from a handle that the user opened. */

import { type SqlValue } from '../sql/fields.ts'
import { keepPrepared, type SqliteDriver, type SqliteStatement } from './driver.ts'

/**
 * What the storage needs of a better-sqlite3 handle.
 *
 * @category SQLite
 */
export type BetterSqlite3Database = {
  readonly open: boolean
  readonly inTransaction: boolean
  exec: (sql: string) => unknown
  prepare: (sql: string) => BetterSqlite3Statement
  close: () => unknown
}

type BetterSqlite3Statement = {
  readonly reader: boolean
  run: (values: ReadonlyArray<SqlValue>) => { changes: number }
  all: (values: ReadonlyArray<SqlValue>) => Array<unknown>
  raw: (isEnabled: boolean) => unknown
  safeIntegers: (isEnabled: boolean) => unknown
}

const OUTAGE = /^SQLITE_(?:BUSY|LOCKED|NOMEM|IOERR|FULL|CANTOPEN|PROTOCOL)/

/** Speaks to a better-sqlite3 handle. */
export function betterDriver(database: BetterSqlite3Database): SqliteDriver {
  return {
    handle: database,
    exec: (sql) => {
      database.exec(sql)
    },
    prepare: keepPrepared((sql) => prepareStatement(database, sql)),
    isOpen: () => database.open,
    isInTransaction: () => database.inTransaction,
    isBusyError: (error) => /^SQLITE_(?:BUSY|LOCKED)/.test(errorCode(error)),
    // It gives the nearest number there is.
    isRangeError: () => false,
    isUniqueError: (error) => errorCode(error) === 'SQLITE_CONSTRAINT_UNIQUE',
    isConstraintError: (error) => errorCode(error).startsWith('SQLITE_CONSTRAINT'),
    isOutage: (error) => OUTAGE.test(errorCode(error)),
    close: () => {
      database.close()
    },
  }
}

function prepareStatement(database: BetterSqlite3Database, sql: string): SqliteStatement {
  const statement = database.prepare(sql)
  // A user's handle may have been told to read all integers as bigints.
  statement.safeIntegers(false)
  // Only a statement that gives rows can be told to give them as lists.
  if (statement.reader) {
    statement.raw(true)
  }
  return {
    run: (values) => statement.run(values).changes,
    all: (values) => statement.all(values) as Array<Array<SqlValue>>,
  }
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}
