/** Where a round keeps its rows: a SQLite file, or a schema of its own in a Postgres database. */

import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'

import { Pool } from 'pg'

import { type PostgresServer } from '../../../../../scripts/postgres/server.ts'
import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/index.ts'
import { createSqliteStorage, type SqliteStorage } from '../../../src/storage/sqlite/index.ts'

/** What a process must be told to find the storage; it is passed on as JSON. */
export type PlaceName =
  | { kind: 'sqlite'; path: string }
  | { kind: 'postgres'; connectionString: string; schema: string }

/** A place, and how to look at it past the engine. */
export type Place = {
  name: PlaceName
  /** The table, as it stands in a statement. */
  table: string
  query: (sql: string) => Promise<Array<Array<unknown>>>
  /** Breaks connections of the workers; gives how many. Undefined where there are none. */
  disconnect: (() => Promise<number>) | undefined
  /** Holds what every writer needs for so long: the lock of the file, or of the table. */
  lock: (ms: number) => Promise<void>
  /** Stops the server, as a crash would unless told otherwise, and starts it again; undefined where that is not ours to do. */
  restartServer: ((options: { isGraceful: boolean }) => Promise<void>) | undefined
  close: () => Promise<void>
}

export function openStorage(name: PlaceName): SqliteStorage | PostgresStorage {
  return name.kind === 'sqlite'
    ? createSqliteStorage({ path: name.path })
    : createPostgresStorage({
        connectionString: name.connectionString,
        schema: name.schema,
        maxConnections: 4,
      })
}

export function sqlitePlace(folder: string): Place {
  const path = join(folder, 'tasks.db')
  const database = new DatabaseSync(path, { timeout: 10_000 })
  return {
    name: { kind: 'sqlite', path },
    table: 'durable_execution_executions',
    query: (sql) => {
      const statement = database.prepare(sql)
      return Promise.resolve(statement.all().map((row) => Object.values(row)))
    },
    disconnect: undefined,
    lock: (ms) => lockFile(path, ms),
    restartServer: undefined,
    close: () => {
      database.close()
      return Promise.resolve()
    },
  }
}

async function lockFile(path: string, ms: number): Promise<void> {
  // It waits without blocking: the lock may be held by a transaction of this very process.
  const database = new DatabaseSync(path, { timeout: 1 })
  try {
    while (!isDone(() => database.exec('begin immediate'))) {
      await pause(LOCK_RETRY_MS)
    }
    await pause(ms)
    database.exec('rollback')
  } finally {
    database.close()
  }
}

function isDone(step: () => void): boolean {
  try {
    step()
    return true
  } catch {
    return false
  }
}

const LOCK_RETRY_MS = 3

let schemas = 0

/** `server`: the one that the database is on, if it may be restarted. */
export function postgresPlace(connectionString: string, server?: Pick<PostgresServer, 'restart'>): Place {
  schemas += 1
  const schema = `harness_${process.pid}_${schemas}`
  const pool = new Pool({ connectionString, max: 1 })
  // It opens another connection when the server comes back.
  pool.on('error', () => {})
  const query = async (sql: string): Promise<Array<Array<unknown>>> =>
    (await pool.query<Array<unknown>>({ text: sql, rowMode: 'array' })).rows
  return {
    name: { kind: 'postgres', connectionString, schema },
    table: `"${schema}".executions`,
    query,
    disconnect: async () => {
      const rows = await query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid() order by random() limit 3`,
      )
      return rows.length
    },
    lock: async (ms) => {
      // In one message, so that it is one transaction.
      await query(
        `lock table "${schema}".execution_rows in access exclusive mode; select pg_sleep(${ms / 1_000})`,
      )
    },
    restartServer: server === undefined ? undefined : (options) => server.restart(options),
    close: async () => {
      await query(`drop schema if exists "${schema}" cascade`)
      await pool.end()
    },
  }
}
