/** The storages that are measured, each on a fresh place. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { createInMemoryStorage, type DurableStorage } from 'durable-execution'
import { createPostgresStorage } from 'durable-execution/postgres'
import { createSqliteStorage } from 'durable-execution/sqlite'

import { startPostgres } from '../../scripts/postgres/server.ts'

export type Measured = {
  name: string
  storage: DurableStorage
  /** Where the database is, for what is measured beside the storage; Postgres only. */
  connectionString?: string
  cleanUp: () => Promise<void>
}

/** What is measured unless the command says otherwise. */
export const STORAGES = ['memory', 'sqlite', 'postgres']

export async function openStorage(name: string): Promise<Measured> {
  if (name === 'memory') {
    return { name, storage: createInMemoryStorage(), cleanUp: () => Promise.resolve() }
  }
  if (name === 'sqlite') {
    const folder = mkdtempSync(join(process.env['BENCH_DIR'] ?? tmpdir(), 'durable-execution-bench-'))
    const storage = createSqliteStorage({ path: join(folder, 'bench.db') })
    return {
      name,
      storage,
      cleanUp: async () => {
        await storage.close()
        rmSync(folder, { recursive: true, force: true })
      },
    }
  }
  if (name === 'postgres') {
    const server = await startPostgres({ durable: true, settings: { shared_buffers: '512MB' } })
    const connectionString = await server.createDatabase()
    const storage = createPostgresStorage({ connectionString })
    return {
      name,
      storage,
      connectionString,
      cleanUp: async () => {
        await storage.close()
        await server.stop()
      },
    }
  }
  throw new Error(`There is no storage ${name}; choose ${STORAGES.join(', ')}`)
}

export const QUIET = { debug: (): void => {}, info: (): void => {}, error: console.error }

/** The value below which the given part of the values lies. */
export function quantile(values: ReadonlyArray<number>, part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}
