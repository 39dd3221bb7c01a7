/** Where a round keeps its rows: a SQLite file, or a schema of its own in a Postgres database. */

import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { Pool } from 'pg'

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
    close: () => {
      database.close()
      return Promise.resolve()
    },
  }
}

let schemas = 0

export function postgresPlace(connectionString: string): Place {
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
    close: async () => {
      await query(`drop schema if exists "${schema}" cascade`)
      await pool.end()
    },
  }
}
