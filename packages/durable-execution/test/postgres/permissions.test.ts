/** What each role needs: one that migrates, one that enqueues, one that works. */

import { Client } from 'pg'
import { beforeAll, expect, onTestFinished, test } from 'vitest'

import { DurableExecutor, type DurableTask } from '../../src/index.ts'
import { createPostgresStorage, type PostgresStorage } from '../../src/storage/postgres/index.ts'
import { newSchema } from './places.ts'
import { ownServer } from './server.ts'

let connectionString: string
let schema: string

// As the guide says them.
const GRANTS = (name: string): string => `
  create role migrator login;
  create role enqueuer login;
  create role worker login;
  create schema ${name} authorization migrator;
  grant usage on schema ${name} to enqueuer, worker;
  alter default privileges for role migrator in schema ${name} grant select, insert on tables to enqueuer;
  alter default privileges for role migrator in schema ${name} grant select, insert, update on tables to worker;
`

beforeAll(async () => {
  // Roles belong to the whole server, so that it cannot be one that others use.
  connectionString = await (await ownServer()).createDatabase()
  schema = newSchema()
  const client = new Client({ connectionString })
  await client.connect()
  await client.query(GRANTS(schema))
  await client.end()
  const migrator = storageOf('migrator')
  await migrator.migrate()
  await migrator.close()
}, 120_000)

function urlOf(role: string): string {
  const url = new URL(connectionString)
  url.username = role
  return url.href
}

function storageOf(role: string): PostgresStorage {
  return createPostgresStorage({ connectionString: urlOf(role), schema })
}

function programOf(role: string): { executor: DurableExecutor; double: DurableTask<number, number> } {
  const storage = storageOf(role)
  const executor = new DurableExecutor(storage, {
    logger: { debug: () => {}, info: () => {}, error: () => {} },
  })
  const double = executor.task({ id: 'double', timeoutMs: 10_000, run: (_ctx, input: number) => input * 2 })
  onTestFinished(async () => {
    await executor.shutdown()
    await storage.close()
  })
  return { executor, double }
}

test('who may select and insert enqueues and waits, and who may update too works', async () => {
  const [client, worker] = [programOf('enqueuer'), programOf('worker')]
  await worker.executor.start()
  const handle = await client.executor.enqueueTask(client.double, 21)
  expect(await handle.waitAndGetTaskFinishedExecution()).toMatchObject({ status: 'completed', output: 42 })
})

test('who may select and insert enqueues in a transaction of its own', async () => {
  const { executor, double } = programOf('enqueuer')
  const client = new Client({ connectionString: urlOf('enqueuer') })
  await client.connect()
  onTestFinished(() => client.end())
  await client.query('begin')
  const handle = await executor.enqueueTask(double, 1, { transaction: client })
  await client.query('commit')
  expect((await handle.getTaskExecution()).runInput).toBe(1)
})

test('who may not update cannot cancel', async () => {
  const { executor, double } = programOf('enqueuer')
  const handle = await executor.enqueueTask(double, 1, { sleepMsBeforeRun: 3_600_000 })
  await expect(handle.cancel()).rejects.toThrow('permission denied')
})
