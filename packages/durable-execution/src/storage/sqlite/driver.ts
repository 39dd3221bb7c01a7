/** One SQLite connection, whichever library holds it. */

import { type SqlValue } from '../sql/fields.ts'

/** A prepared statement. */
export type SqliteStatement = {
  /** Runs it; gives the number of rows it changed. */
  readonly run: (values: ReadonlyArray<SqlValue>) => number
  /** Runs it; gives its rows, each as the list of its columns. */
  readonly all: (values: ReadonlyArray<SqlValue>) => Array<Array<SqlValue>>
}

/** A connection. Everything is synchronous, and fails with the library's own errors. */
export type SqliteDriver = {
  /** The library's own object. */
  readonly handle: object
  readonly exec: (sql: string) => void
  /** The statement of that text; some are kept prepared. */
  readonly prepare: (sql: string) => SqliteStatement
  readonly isOpen: () => boolean
  readonly isInTransaction: () => boolean
  /** Whether the error says that another connection holds a lock: trying again later may help. */
  readonly isBusyError: (error: unknown) => boolean
  /** Whether the error says that the statement was done, and gave a number that JavaScript does not have: in a damaged file. */
  readonly isRangeError: (error: unknown) => boolean
  /** Whether the error says that a row of that id exists already. */
  readonly isUniqueError: (error: unknown) => boolean
  /** Whether the error says that what was to be written breaks a constraint. */
  readonly isConstraintError: (error: unknown) => boolean
  /** Whether the error says that the database cannot work: it is locked, full or not to be read. No statement is at fault. */
  readonly isOutage: (error: unknown) => boolean
  readonly close: () => void
}

// A storage uses some dozens of texts: shapes of inserts and of updates. The bound only holds off the
// unforeseen.
const PREPARED_STATEMENTS = 200

/** Keeps the statements that were prepared last, up to a bound. */
export function keepPrepared(prepare: (sql: string) => SqliteStatement): SqliteDriver['prepare'] {
  const kept = new Map<string, SqliteStatement>()
  return (sql) => {
    const known = kept.get(sql)
    if (known !== undefined) {
      return known
    }
    const statement = prepare(sql)
    if (kept.size >= PREPARED_STATEMENTS) {
      const [oldest] = kept.keys()
      kept.delete(oldest ?? '')
    }
    kept.set(sql, statement)
    return statement
  }
}
