/** The SQLite that comes with Node. */

import { DurableExecutionError } from '../../base/errors.ts'
import { type SqlValue } from '../sql/fields.ts'
import { keepPrepared, type SqliteDriver, type SqliteStatement } from './driver.ts'

/**
 * What the storage needs of a `DatabaseSync` of `node:sqlite`.
 *
 * @category SQLite
 */
export type NodeSqliteDatabase = {
  readonly isOpen: boolean
  readonly isTransaction: boolean
  exec: (sql: string) => void
  prepare: (sql: string) => {
    run: (...values: Array<SqlValue>) => { changes: number | bigint }
    all: (...values: Array<SqlValue>) => Array<unknown>
    setReturnArrays: (isEnabled: boolean) => void
    setReadBigInts: (isEnabled: boolean) => void
  }
  close: () => void
}

const SQLITE_CONSTRAINT = 19
const SQLITE_CONSTRAINT_UNIQUE = 2067

// Busy, locked.
const BUSY: ReadonlySet<number> = new Set([5, 6])
// Those, out of memory, I/O error, full, cannot open, lock protocol.
const OUTAGE: ReadonlySet<number> = new Set([...BUSY, 7, 10, 13, 14, 15])

/** Speaks to a `DatabaseSync`. */
export function nodeDriver(database: NodeSqliteDatabase): SqliteDriver {
  return {
    handle: database,
    exec: (sql) => database.exec(sql),
    prepare: keepPrepared((sql) => prepareStatement(database, sql)),
    isOpen: () => database.isOpen,
    isInTransaction: () => database.isTransaction,
    isBusyError: (error) => BUSY.has(plainCode(error)),
    isRangeError,
    isUniqueError: (error) => errorCode(error) === SQLITE_CONSTRAINT_UNIQUE,
    isConstraintError: (error) => plainCode(error) === SQLITE_CONSTRAINT,
    isOutage: (error) => OUTAGE.has(plainCode(error)),
    close: () => database.close(),
  }
}

/** Opens a file, or `:memory:`, with `node:sqlite`. */
export function openNodeDatabase(path: string): NodeSqliteDatabase {
  return new (nodeSqlite().DatabaseSync)(path)
}

/** Throws, with what to do, where Node has no usable `node:sqlite`. */
export function assertNodeSqlite(): void {
  nodeSqlite()
}

// Imported at its first use: a program on an old Node, or with a database of its own, gets this far.
function nodeSqlite(): { DatabaseSync: new (path: string) => NodeSqliteDatabase } {
  const loaded = process.getBuiltinModule?.('node:sqlite')
  if (loaded === undefined || !('setReturnArrays' in loaded.StatementSync.prototype)) {
    throw new DurableExecutionError(
      `Node ${process.version} has no usable node:sqlite. Use Node 22.16 or later, ` +
        'or pass a better-sqlite3 handle as `database`.',
      false,
    )
  }
  return loaded
}

function prepareStatement(database: NodeSqliteDatabase, sql: string): SqliteStatement {
  const statement = database.prepare(sql)
  statement.setReturnArrays(true)
  // A user's handle may have been opened to read all integers as bigints.
  statement.setReadBigInts(false)
  const all = (values: ReadonlyArray<SqlValue>): Array<Array<SqlValue>> =>
    statement.all(...values) as Array<Array<SqlValue>>
  return {
    run: (values) => Number(statement.run(...values).changes),
    all: (values) => {
      try {
        return all(values)
      } catch (error) {
        // What changes rows must not be done twice.
        if (!isRangeError(error) || !sql.startsWith('select')) {
          throw error
        }
      }
      statement.setReadBigInts(true)
      try {
        return all(values).map((row) => row.map((cell: unknown) => nearest(cell)))
      } finally {
        statement.setReadBigInts(false)
      }
    },
  }
}

function nearest(cell: unknown): SqlValue {
  return typeof cell === 'bigint' ? Number(cell) : (cell as SqlValue)
}

function isRangeError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_OUT_OF_RANGE'
}

// An extended code has the plain one in its lowest byte.
function plainCode(error: unknown): number {
  return errorCode(error) % 256
}

function errorCode(error: unknown): number {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : 0
}
