/** The storages that are held against memory, each made once and emptied before each sequence. */

import { DatabaseSync } from 'node:sqlite'

import Database from 'better-sqlite3'
import { Client } from 'pg'

import { type DurableStorage } from '../../src/storage/contract.ts'
import { createInMemoryStorage } from '../../src/storage/memory/in-memory-storage.ts'
import { createPostgresStorage } from '../../src/storage/postgres/index.ts'
import { createSqliteStorage } from '../../src/storage/sqlite/index.ts'
import { hideOptionalMembers } from '../../src/testing/hide-optional-members.ts'
import { createFourOperationStorage } from '../storages/four-operation-storage.ts'
import { type World } from './sequences.ts'

/** Makes a world. */
export type MakeWorld = () => Promise<World>

/** The world with the optional members of its transactions hidden. */
export const hidden =
  (make: MakeWorld): MakeWorld =>
  async () => {
    const world = await make()
    return { ...world, storage: hideOptionalMembers(world.storage), hasMembers: false, hasClaimCursor: false }
  }

/** Memory as it is: what its members do is held against what the four operations do. */
export const memory: MakeWorld = () => {
  const storage = createInMemoryStorage()
  return Promise.resolve({
    storage,
    clear: () => storage.load(() => Promise.resolve('')),
    close: () => Promise.resolve(),
    hasMembers: true,
  })
}

/** Memory saved and loaded between all transactions, so that what is held against memory is what it saves. */
export const savedMemory: MakeWorld = () => {
  const storage = createInMemoryStorage()
  const saveAndLoad: DurableStorage['withTransaction'] = async (fn) => {
    try {
      return await storage.withTransaction(fn)
    } finally {
      let saved = ''
      await storage.save((text) => {
        saved = text
        return Promise.resolve()
      })
      await storage.load(() => Promise.resolve(saved))
    }
  }
  return Promise.resolve({
    storage: { withTransaction: saveAndLoad },
    clear: () => storage.load(() => Promise.resolve('')),
    close: () => Promise.resolve(),
    hasMembers: true,
  })
}

export const fourOperations: MakeWorld = () => {
  const world: World = {
    storage: createFourOperationStorage(),
    clear: () => {
      world.storage = createFourOperationStorage()
    },
    close: () => Promise.resolve(),
    hasMembers: false,
    keepsOldFieldsOnly: true,
  }
  return Promise.resolve(world)
}

const SQLITE_TABLES = ['durable_execution_executions', 'durable_execution_children']

export const nodeSqlite: MakeWorld = async () => await sqliteWorld(new DatabaseSync(':memory:'))

export const betterSqlite: MakeWorld = async () => await sqliteWorld(new Database(':memory:'))

async function sqliteWorld(database: DatabaseSync | Database.Database): Promise<World> {
  const storage = createSqliteStorage({ database })
  await storage.migrate()
  return {
    storage,
    clear: () => {
      database.exec(SQLITE_TABLES.map((table) => `delete from ${table}`).join(';'))
    },
    close: async () => {
      await storage.close()
      database.close()
    },
    hasMembers: true,
  }
}

/** Postgres in that database; rows of one world are not those of another. */
export const postgres =
  (connectionString: () => string, schema: string): MakeWorld =>
  async () => {
    const storage = createPostgresStorage({
      connectionString: connectionString(),
      schema,
      hints: false,
      maxConnections: 1,
    })
    await storage.migrate()
    const client = new Client({ connectionString: connectionString() })
    await client.connect()
    const forgetPlace = {
      taskIds: ['nobody'],
      excludedExecutionIds: [],
      limit: 1,
      now: new Date(0),
      expiresAt: new Date(0),
      leaseId: 'nobody',
      executorId: 'nobody',
    }
    return {
      storage,
      clear: async () => {
        await client.query(`delete from "${schema}".execution_rows; delete from "${schema}".claims`)
        // A claim that gets less than it asked for begins at the start the next time.
        await storage.withTransaction(async (tx) => await tx.claimTaskExecutions?.(forgetPlace), {
          oneCall: true,
        })
      },
      close: async () => {
        await storage.close()
        await client.end()
      },
      hasMembers: true,
      hasClaimCursor: true,
    }
  }
