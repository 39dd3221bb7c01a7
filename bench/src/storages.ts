/** The storages that are measured, each on a fresh place. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { createInMemoryStorage, type DurableStorage } from 'durable-execution'
import { createSqliteStorage } from 'durable-execution/sqlite'

export type Measured = { name: string; storage: DurableStorage; cleanUp: () => Promise<void> }

export function openStorage(name: string): Measured {
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
  throw new Error(`There is no storage ${name}; choose memory or sqlite`)
}

export const QUIET = { debug: (): void => {}, info: (): void => {}, error: console.error }

/** The value below which the given part of the values lies. */
export function quantile(values: ReadonlyArray<number>, part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}
