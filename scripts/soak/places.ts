/** The storages that are soaked, and what can be measured of each. */

import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Client } from 'pg'

import { createInMemoryStorage, type DurableStorage } from '../../packages/durable-execution/src/index.ts'
import { createPostgresStorage } from '../../packages/durable-execution/src/storage/postgres/index.ts'
import { createSqliteStorage } from '../../packages/durable-execution/src/storage/sqlite/index.ts'
import { startPostgres } from '../postgres/server.ts'

export const STORAGES = ['memory', 'sqlite', 'postgres'] as const
export type StorageName = (typeof STORAGES)[number]

/** What is measured of the storage; each of ours has some of it. */
export type StorageSample = {
  /** SQLite: the write-ahead log. */
  walBytes?: number
  /** Postgres: rows that are there no more and take room until they are vacuumed. */
  deadTuples?: number
  liveTuples?: number
  /** Updates and deletes so far: each leaves a dead tuple. */
  changedTuples?: number
  autovacuums?: number
  connections?: number
}

export type SoakPlace = {
  storage: DurableStorage
  /** Looks at it while nothing is under way. */
  sample: () => Promise<StorageSample>
  close: () => Promise<void>
}

export async function openPlace(name: StorageName): Promise<SoakPlace> {
  switch (name) {
    case 'memory':
      return openMemory()
    case 'sqlite':
      return openSqlite()
    case 'postgres':
      return await openPostgres()
  }
}

// Its rows are part of the heap that is measured, so they are counted out: it is empty whenever somebody looks.
function openMemory(): SoakPlace {
  const storage = createInMemoryStorage()
  return {
    storage,
    sample: async () => {
      await storage.load(() => Promise.resolve(''))
      return {}
    },
    close: () => Promise.resolve(),
  }
}

function openSqlite(): SoakPlace {
  const folder = mkdtempSync(join(tmpdir(), 'durable-execution-soak-'))
  const path = join(folder, 'tasks.db')
  const storage = createSqliteStorage({ path })
  return {
    storage,
    sample: () => Promise.resolve({ walBytes: statSync(`${path}-wal`).size }),
    close: async () => {
      await storage.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const TUPLES = `select n_dead_tup::float8, n_live_tup::float8, (n_tup_upd + n_tup_del)::float8, autovacuum_count::float8
  from pg_stat_user_tables where schemaname = 'durable_execution' and relname = 'execution_rows'`
const CONNECTIONS = 'select count(*)::float8 from pg_stat_activity where datname = current_database()'

async function openPostgres(): Promise<SoakPlace> {
  const server = await startPostgres({ durable: true })
  const connectionString = await server.createDatabase()
  const client = new Client({ connectionString })
  await client.connect()
  const storage = createPostgresStorage({ connectionString })
  const ask = async (text: string): Promise<Array<number>> =>
    (await client.query<Array<number>>({ text, rowMode: 'array' })).rows[0] ?? []
  return {
    storage,
    sample: async () => {
      const [deadTuples = 0, liveTuples = 0, changedTuples = 0, autovacuums = 0] = await ask(TUPLES)
      const [connections = 0] = await ask(CONNECTIONS)
      return { deadTuples, liveTuples, changedTuples, autovacuums, connections }
    },
    close: async () => {
      await storage.close()
      await client.end()
      await server.stop()
    },
  }
}
