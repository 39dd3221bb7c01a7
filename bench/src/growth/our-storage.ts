/** Opens a storage of ours by the name of its engine. */

import { join } from 'node:path'

import { createInMemoryStorage, type DurableStorage } from 'durable-execution'
import { createPostgresStorage } from 'durable-execution/postgres'
import { createSqliteStorage } from 'durable-execution/sqlite'

import { type EngineName } from '../names.ts'

export type OpenStorage = { storage: DurableStorage; close: () => Promise<void> }

/** `place`: a folder for SQLite, a connection string for Postgres, nothing for memory. */
export function openOurStorage(engine: EngineName, place: string): OpenStorage {
  switch (engine) {
    case 'ours:memory': {
      const storage = createInMemoryStorage()
      return { storage, close: async () => await storage.close() }
    }
    case 'ours:sqlite': {
      const storage = createSqliteStorage({ path: join(place, 'tasks.db') })
      return { storage, close: async () => await storage.close() }
    }
    case 'ours:postgres': {
      const storage = createPostgresStorage({ connectionString: place })
      return { storage, close: async () => await storage.close() }
    }
    case 'graphile-worker':
    case 'pg-boss':
    case 'dbos':
    case 'openworkflow':
    case 'bullmq':
    case 'absurd':
      throw new Error(`Growth is measured on our own storages, not on ${engine}`)
  }
}
