/** The floor under latency: two commits of one row in turn, an insert and its update, with nothing around them. */

import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { Client } from 'pg'

/** `commit` makes the two, and gives the milliseconds they took. */
export type TwoCommits = { commit: () => Promise<number>; close: () => Promise<void> }

const BODY = 'x'.repeat(500)
// Another one: SQLite writes nothing where a row becomes what it was.
const NEW_BODY = 'y'.repeat(500)

/** In a file of its own in the folder, with the settings that our storage has. */
export function openFileCommits(folder: string): TwoCommits {
  const database = new DatabaseSync(join(folder, 'floor.db'))
  database.exec('pragma journal_mode = wal; pragma synchronous = full')
  database.exec('create table floor (id integer primary key, body text)')
  const insert = database.prepare('insert into floor (body) values (?)')
  const update = database.prepare('update floor set body = ? where id = ?')
  return {
    commit: () => {
      const startedAt = performance.now()
      const { lastInsertRowid } = insert.run(BODY)
      update.run(NEW_BODY, lastInsertRowid)
      return Promise.resolve(performance.now() - startedAt)
    },
    close: () => {
      database.close()
      return Promise.resolve()
    },
  }
}

/** In a database of its own on the same server, by prepared statements on one connection. */
export async function openPostgresCommits(connectionString: string): Promise<TwoCommits> {
  const client = new Client({ connectionString })
  await client.connect()
  await client.query('create table floor (id bigint generated always as identity primary key, body text)')
  return {
    commit: async () => {
      const startedAt = performance.now()
      const { rows } = await client.query<{ id: string }>({
        name: 'insert',
        text: 'insert into floor (body) values ($1) returning id',
        values: [BODY],
      })
      await client.query({
        name: 'update',
        text: 'update floor set body = $1 where id = $2',
        values: [NEW_BODY, rows[0]?.id],
      })
      return performance.now() - startedAt
    },
    close: async () => await client.end(),
  }
}
