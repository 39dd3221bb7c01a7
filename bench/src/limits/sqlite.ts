/** The limit of a SQLite file by itself, through `node:sqlite`, with `synchronous=FULL`. */

import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { type Metrics } from '../measure/metrics.ts'
import { INPUT, measureLimit, type RawStorage } from './batches.ts'

const SCHEMA = `
  create table tasks (
    id text not null unique, task text not null, status text not null default 'ready', input text not null,
    output text, attempts integer not null default 0, start_at integer not null, expires_at integer, lease text,
    created_at integer not null, finished_at integer);
  create index tasks_ready on tasks (start_at, id) where status = 'ready';
  create index tasks_running on tasks (expires_at) where status = 'running'`

export async function measureSqliteLimit(
  folder: string,
  amounts: { tasks: number; warm: number },
): Promise<Metrics> {
  const database = new DatabaseSync(join(folder, 'limit.db'))
  database.exec('pragma journal_mode = wal; pragma synchronous = full; pragma cache_size = -65536')
  database.exec(SCHEMA)
  try {
    // One connection that blocks: a second loop would only wait.
    return await measureLimit(rawStorage(database), amounts, 1)
  } finally {
    database.close()
  }
}

function rawStorage(database: DatabaseSync): RawStorage {
  const insert = database.prepare(
    `insert into tasks (id, task, input, start_at, created_at) values (?, 'noop', ?, 0, 0)`,
  )
  const claim = database.prepare(
    `update tasks set status = 'running', attempts = attempts + 1, lease = 'lease', expires_at = 1
     where rowid in (
       select rowid from tasks where status = 'ready' and start_at <= 0 order by start_at, id limit ?)
     returning id, input`,
  )
  const settle = database.prepare(
    `update tasks set status = 'completed', output = ?, expires_at = null, finished_at = 1
     where id = ? and status = 'running' and lease = 'lease'`,
  )
  const inTransaction = (work: () => void): void => {
    database.exec('begin immediate')
    work()
    database.exec('commit')
  }
  return {
    insert: (ids) => inTransaction(() => ids.forEach((id) => insert.run(id, INPUT))),
    claim: (limit) => claim.all(limit).map(({ id }) => String(id)),
    settle: (ids) => inTransaction(() => ids.forEach((id) => settle.run('{"ok":true}', id))),
  }
}
