/** Query builders and transactions: enqueueing in one that they began, and writing in one of `ctx.transaction`, as the guide shows. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import Database from 'better-sqlite3'
import { sql as drizzleSql } from 'drizzle-orm'
import { drizzle as drizzleSqlite } from 'drizzle-orm/better-sqlite3'
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import { integer, pgTable } from 'drizzle-orm/pg-core'
import { integer as sqliteInteger, sqliteTable } from 'drizzle-orm/sqlite-core'
import { CompiledQuery, Kysely, PostgresDialect, SqliteDialect, type Transaction } from 'kysely'
import { Pool, type PoolClient } from 'pg'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'

import { type DurableStorage, DurableExecutor, type DurableTaskHandle } from '../../src/index.ts'
import {
  createPostgresStorage,
  type PostgresTransaction,
  type PostgresTransactionClient,
} from '../../src/storage/postgres/index.ts'
import { createSqliteStorage } from '../../src/storage/sqlite/index.ts'
import { newSchema } from './places.ts'
import { freshDatabase } from './server.ts'

type Tables = { orders: { id: number } }

const orders = pgTable('orders', { id: integer('id').primaryKey() })
const sqliteOrders = sqliteTable('orders', { id: sqliteInteger('id').primaryKey() })

/** Writes an order and enqueues its receipt, in one transaction; may throw before the commit. */
type PlaceOrder = (
  id: number,
  enqueue: (transaction: object) => Promise<unknown>,
  fail?: () => void,
) => Promise<void>

function fromKysely(trx: Transaction<Tables>): PostgresTransaction {
  return { query: async (text, values) => await trx.executeQuery(CompiledQuery.raw(text, values)) }
}

function fromDrizzle(tx: Pick<NodePgDatabase, 'execute'>): PostgresTransaction {
  return {
    query: async (text, values) => {
      const parts = text
        .split(/\$(\d+)/)
        .map((part, index) =>
          index % 2 === 0 ? drizzleSql.raw(part) : drizzleSql.param(values[Number(part) - 1]),
        )
      return await tx.execute(drizzleSql.join(parts))
    },
  }
}

/** A Kysely whose queries are part of the transaction. */
function kyselyOf(tx: PostgresTransactionClient): Kysely<Tables> {
  const client = { query: tx.query, release: () => {} }
  const pool = { connect: () => Promise.resolve(client), end: () => Promise.resolve() }
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool: pool as never }) })
}

/** A Drizzle whose queries are part of the transaction. */
function drizzleOf(tx: PostgresTransactionClient): NodePgDatabase {
  return drizzle(tx as unknown as PoolClient)
}

let connectionString: string

beforeAll(async () => {
  connectionString = await freshDatabase()
  const pool = new Pool({ connectionString })
  await pool.query('create table orders (id integer primary key)')
  await pool.end()
}, 60_000)

const ON_POSTGRES: Array<[name: string, open: (pool: Pool) => PlaceOrder]> = [
  [
    'Kysely',
    (pool) => {
      const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
      return async (id, enqueue, fail) => {
        await db.transaction().execute(async (trx) => {
          await trx.insertInto('orders').values({ id }).execute()
          await enqueue(fromKysely(trx))
          fail?.()
        })
      }
    },
  ],
  [
    'Drizzle',
    (pool) => {
      const db = drizzle(pool)
      return async (id, enqueue, fail) => {
        await db.transaction(async (tx) => {
          await tx.insert(orders).values({ id })
          await enqueue(fromDrizzle(tx))
          fail?.()
        })
      }
    },
  ],
]

describe.each(ON_POSTGRES)('%s on Postgres', (_name, open) => {
  test.each([true, false])('enqueues with its transaction (hints: %s)', async (hints) => {
    const pool = new Pool({ connectionString })
    onTestFinished(() => pool.end())
    await pool.query('delete from orders')
    const storage = createPostgresStorage({ connectionString, schema: newSchema(), hints })
    await expectWithTransaction(storage, open(pool))
    expect((await pool.query('select id from orders')).rows).toEqual([{ id: 1 }])
  })
})

const IN_CODE: Array<
  [name: string, insert: (tx: PostgresTransactionClient, id: number) => Promise<unknown>]
> = [
  ['Kysely', async (tx, id) => await kyselyOf(tx).insertInto('orders').values({ id }).execute()],
  ['Drizzle', async (tx, id) => await drizzleOf(tx).insert(orders).values({ id })],
]

test.each(IN_CODE)('%s on Postgres writes in a transaction of ctx.transaction', async (_name, insert) => {
  const pool = new Pool({ connectionString })
  onTestFinished(() => pool.end())
  await pool.query('delete from orders')
  const storage = createPostgresStorage({ connectionString, schema: newSchema(), hints: false })
  await expectInCode(storage, insert)
  expect((await pool.query('select id from orders')).rows).toEqual([{ id: 1 }])
})

const IN_CODE_ON_SQLITE: Array<[name: string, insert: (tx: Database.Database, id: number) => unknown]> = [
  [
    'Kysely',
    async (tx, id) =>
      await new Kysely<Tables>({ dialect: new SqliteDialect({ database: tx }) })
        .insertInto('orders')
        .values({ id })
        .execute(),
  ],
  ['Drizzle', (tx, id) => drizzleSqlite(tx).insert(sqliteOrders).values({ id }).run()],
  [
    'Drizzle, in a transaction of its own,',
    (tx, id) => drizzleSqlite(tx).transaction((inner) => inner.insert(sqliteOrders).values({ id }).run()),
  ],
]

test.each(IN_CODE_ON_SQLITE)(
  '%s on SQLite writes in a transaction of ctx.transaction',
  async (_name, insert) => {
    const database = new Database(':memory:')
    onTestFinished(() => {
      database.close()
    })
    database.exec('create table orders (id integer primary key)')
    await expectInCode(createSqliteStorage({ database }), insert)
    expect(database.prepare('select id from orders').all()).toEqual([{ id: 1 }])
  },
)

const ON_SQLITE: Array<[name: string, open: (database: Database.Database) => PlaceOrder]> = [
  [
    'Kysely',
    (database) => {
      const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database }) })
      return async (id, enqueue, fail) => {
        await db.transaction().execute(async (trx) => {
          await trx.insertInto('orders').values({ id }).execute()
          await enqueue(database)
          fail?.()
        })
      }
    },
  ],
  [
    // Its `transaction` is synchronous with this driver and cannot wait for the enqueue.
    'Drizzle, in a transaction begun by hand,',
    (database) => {
      const db = drizzleSqlite(database)
      return async (id, enqueue, fail) => {
        database.exec('begin immediate')
        try {
          db.insert(sqliteOrders).values({ id }).run()
          await enqueue(database)
          fail?.()
          database.exec('commit')
        } catch (error) {
          database.exec('rollback')
          throw error
        }
      }
    },
  ],
]

test.each(ON_SQLITE)('%s on SQLite enqueues with its transaction', async (_name, open) => {
  const folder = mkdtempSync(join(tmpdir(), 'durable-execution-adapters-'))
  const [own, database] = [new Database(join(folder, 'app.db')), new Database(join(folder, 'app.db'))]
  onTestFinished(() => {
    own.close()
    database.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const storage = createSqliteStorage({ database: own })
  await storage.migrate()
  database.exec('create table orders (id integer primary key)')
  await expectWithTransaction(storage, open(database))
  expect(database.prepare('select id from orders').all()).toEqual([{ id: 1 }])
})

/** One order commits and its receipt is sent; the other rolls back, and there never was a receipt for it. */
async function expectWithTransaction(
  storage: DurableStorage & { close: () => Promise<void> },
  placeOrder: PlaceOrder,
): Promise<void> {
  const executor = new DurableExecutor(storage, {
    logger: { debug: () => {}, info: () => {}, error: () => {} },
  })
  onTestFinished(async () => {
    await executor.shutdown()
    await storage.close()
  })
  const receipt = executor.task({ id: 'receipt', timeoutMs: 10_000, run: (_ctx, id: number) => `for ${id}` })
  const handles: Array<DurableTaskHandle<string>> = []
  const enqueue =
    (id: number) =>
    async (transaction: object): Promise<void> => {
      handles.push(await executor.enqueueTask(receipt, id, { transaction }))
    }
  await executor.start()
  await placeOrder(1, enqueue(1))
  const failing = placeOrder(2, enqueue(2), () => {
    throw new Error('out of stock')
  })
  await expect(failing).rejects.toThrow('out of stock')
  const [kept, gone] = handles
  expect(await kept?.waitAndGetTaskFinishedExecution()).toMatchObject({
    status: 'completed',
    output: 'for 1',
  })
  await expect(gone?.getTaskExecution()).rejects.toThrow('not found')
}

/** What one execution writes is kept with its result; what another one writes that fails is not. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters
async function expectInCode<Tx extends object>(
  storage: DurableStorage & { close: () => Promise<void> },
  insert: (tx: Tx, id: number) => unknown,
): Promise<void> {
  const executor = new DurableExecutor(storage, {
    logger: { debug: () => {}, info: () => {}, error: () => {} },
  })
  onTestFinished(async () => {
    await executor.shutdown()
    await storage.close()
  })
  const order = executor.task({
    id: 'order',
    timeoutMs: 10_000,
    run: async (ctx, id: number) =>
      await ctx.transaction('insert', async (tx: Tx) => {
        await insert(tx, id)
        if (id === 2) {
          throw new Error('out of stock')
        }
        return `order ${id}`
      }),
  })
  await executor.start()
  const [kept, gone] = [await executor.enqueueTask(order, 1), await executor.enqueueTask(order, 2)]
  expect(await kept.waitAndGetTaskFinishedExecution()).toMatchObject({
    status: 'completed',
    output: 'order 1',
  })
  expect(await gone.waitAndGetTaskFinishedExecution()).toMatchObject({
    status: 'failed',
    error: { message: 'out of stock' },
  })
}
