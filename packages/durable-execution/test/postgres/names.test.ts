/** Statements that the server keeps by name: on which connections, and what happens when they do not fit any more. */

import { Client, Pool } from 'pg'
import { beforeAll, expect, onTestFinished, test } from 'vitest'

import { type DurableStorage } from '../../src/storage/contract.ts'
import {
  createPostgresStorage,
  POSTGRES_SESSION_OPTIONS,
  type PostgresStorage,
  type PostgresStorageOptions,
} from '../../src/storage/postgres/index.ts'
import { newSchema } from './places.ts'
import { AT, readyIds, rowOf } from './rows.ts'
import { freshDatabase } from './server.ts'

const ONE_CALL = { oneCall: true }

let connectionString: string

beforeAll(async () => {
  connectionString = await freshDatabase()
}, 60_000)

function open(options: PostgresStorageOptions): PostgresStorage {
  const storage = createPostgresStorage({ hints: false, ...options })
  onTestFinished(() => storage.close())
  return storage
}

/** A storage with one connection of its own, and a look at what the server has prepared on it. */
async function openOne(): Promise<{ schema: string; storage: PostgresStorage; other: Client }> {
  const schema = newSchema()
  const other = new Client({ connectionString })
  await other.connect()
  onTestFinished(() => other.end())
  const storage = open({ connectionString, schema, maxConnections: 1 })
  await readyIds(storage)
  return { schema, storage, other }
}

async function insertAlone(storage: DurableStorage, executionId: string): Promise<void> {
  await storage.withTransaction(async (tx) => await tx.insertTaskExecutions([rowOf(executionId)]), ONE_CALL)
}

async function claimAlone(storage: DurableStorage): Promise<Array<string>> {
  const rows = await storage.withTransaction(
    async (tx) =>
      await tx.claimTaskExecutions?.({
        taskIds: ['task'],
        excludedExecutionIds: [],
        limit: 1,
        now: AT,
        expiresAt: AT,
        leaseId: 'lease',
        executorId: 'executor',
      }),
    ONE_CALL,
  )
  return (rows ?? []).map(({ executionId }) => executionId)
}

test('a statement whose result has changed with the tables is prepared anew, and nobody hears of it', async () => {
  const { schema, storage, other } = await openOne()
  await insertAlone(storage, 'te_1')
  const losses = async (): Promise<Array<number | undefined>> => {
    const rows = await storage.withTransaction(
      async (tx) => await tx.lockTaskExecutions?.(['te_1']),
      ONE_CALL,
    )
    return (rows ?? []).map((row) => row.losses)
  }
  const retype = async (type: string): Promise<void> => {
    await other.query(`alter table "${schema}".execution_rows alter column losses type ${type}`)
  }
  // Whoever changes a column must make the views anew.
  await other.query(`drop view "${schema}".executions, "${schema}".claimed_executions`)
  await other.query(`update "${schema}".execution_rows set losses = 1`)
  expect(await losses()).toEqual([1])
  await retype('integer')
  expect(await losses()).toEqual([1])
  await retype('bigint')
  expect([await losses(), await losses()]).toEqual([[1], [1]])
})

test('columns and indexes may come and go between two calls', async () => {
  const { schema, storage, other } = await openOne()
  await insertAlone(storage, 'te_1')
  await other.query(`alter table "${schema}".execution_rows add column later bigint`)
  await other.query(`drop index "${schema}".executions_ready`)
  await insertAlone(storage, 'te_2')
  expect(await claimAlone(storage)).toEqual(['te_1'])
  await other.query(`alter table "${schema}".execution_rows drop column later`)
  await other.query(
    `create index executions_ready on "${schema}".execution_rows (start_at, seq) where status = 'ready'`,
  )
  expect(await claimAlone(storage)).toEqual(['te_2'])
})

test.each([
  ['with the settings of the plans', { options: POSTGRES_SESSION_OPTIONS }],
  ['without them', {}],
])('on a pool of the user, %s, nothing is prepared', async (_, options) => {
  const pool = new Pool({ connectionString, max: 1, ...options })
  onTestFinished(() => pool.end())
  const storage = open({ pool, schema: newSchema() })
  await insertAlone(storage, 'te_1')
  await claimAlone(storage)
  const { rows } = await pool.query('select name from pg_prepared_statements')
  expect(rows).toEqual([])
})
