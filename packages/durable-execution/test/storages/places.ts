/** The storages that the conformance suite runs over, each case in a place of its own. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import Database from 'better-sqlite3'

import { type DurableStorage } from '../../src/storage/contract.ts'
import { createInMemoryStorage } from '../../src/storage/memory/in-memory-storage.ts'
import { createSqliteStorage } from '../../src/storage/sqlite/index.ts'
import { type ConformancePlace } from '../../src/testing/conformance/storage-conformance.ts'
import { createFourOperationStorage } from './four-operation-storage.ts'

/** A place in memory. Whoever opens it again shares it, as executors of one process do. */
function placeOf(storage: DurableStorage): ConformancePlace {
  return { open: () => Promise.resolve(storage), canOpenTwice: true, cleanup: () => Promise.resolve() }
}

export function memoryPlace(): Promise<ConformancePlace> {
  return Promise.resolve(placeOf(createInMemoryStorage()))
}

export function fourOperationPlace(): Promise<ConformancePlace> {
  return Promise.resolve(placeOf(createFourOperationStorage()))
}

/** A file in a new folder; each opening has a connection of its own. */
async function filePlace(open: (file: string) => Promise<Opened>): Promise<ConformancePlace> {
  const folder = await mkdtemp(join(tmpdir(), 'durable-execution-'))
  const opened: Array<Opened> = []
  return {
    open: async () => {
      const one = await open(join(folder, 'executions.db'))
      opened.push(one)
      return one.storage
    },
    canOpenTwice: true,
    cleanup: async () => {
      await Promise.all(opened.map((one) => one.close()))
      await rm(folder, { recursive: true, force: true })
    },
  }
}

type Opened = { storage: DurableStorage; close: () => Promise<void> }

export function nodeSqlitePlace(): Promise<ConformancePlace> {
  return filePlace(async (path) => {
    const storage = createSqliteStorage({ path })
    await storage.migrate()
    return { storage, close: () => storage.close() }
  })
}

export function betterSqlitePlace(): Promise<ConformancePlace> {
  return filePlace(async (path) => {
    // Its own wait would block the process in which the other connection is to finish.
    const database = new Database(path, { timeout: 0 })
    const storage = createSqliteStorage({ database })
    await storage.migrate()
    const close = async (): Promise<void> => {
      await storage.close()
      database.close()
    }
    return { storage, close }
  })
}

/** The same place, whose storages are wrapped when they are opened. */
export function wrapPlace(
  create: () => Promise<ConformancePlace>,
  wrap: (storage: DurableStorage) => DurableStorage,
): () => Promise<ConformancePlace> {
  return async () => {
    const place = await create()
    return { ...place, open: async () => wrap(await place.open()) }
  }
}

/** For storages that share no database with the program. */
export const NOTHING_TO_SHARE = { shareTransaction: 'it has no tables of the program’s' } as const

const HIDDEN = 'the four operations alone'

/** For storages that offer no optional member of a transaction. */
export const FOUR_OPERATIONS = {
  shareTransaction: HIDDEN,
  insertTaskExecutionsIfMissing: HIDDEN,
  claimTaskExecutions: HIDDEN,
  updateTaskExecutionsBatch: HIDDEN,
  lockTaskExecutions: HIDDEN,
  getTaskExecutionFields: HIDDEN,
  renewTaskExecutions: HIDDEN,
  getTaskExecutionsInIdRanges: HIDDEN,
  getTaskExecutionIdsBelow: HIDDEN,
} as const
