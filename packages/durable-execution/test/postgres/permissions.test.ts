/** The SQL of the guide to Postgres: what each role needs, and what deletes old executions. */

import { Client } from 'pg'
import { beforeAll, expect, onTestFinished, test } from 'vitest'

import { DurableExecutor, type DurableTask } from '../../src/index.ts'
import { createPostgresStorage, type PostgresStorage } from '../../src/storage/postgres/index.ts'
import { fencesOf } from '../docs/markdown.ts'
import { read } from '../docs/places.ts'
import { ownServer } from './server.ts'

let connectionString: string

// What the guide says is what is tried.
const [GRANTS = '', DELETE_FINISHED = ''] = fencesOf(read('docs/postgres.md').text)
  .filter(({ language }) => language === 'sql')
  .map(({ code }) => code)

beforeAll(async () => {
  // Roles belong to the whole server, so that it cannot be one that others use.
  connectionString = await (await ownServer()).createDatabase()
  const client = new Client({ connectionString })
  await client.connect()
  await client.query(GRANTS)
  await client.end()
  const migrator = storageOf('app_migrator')
  await migrator.migrate()
  await migrator.close()
}, 120_000)

function urlOf(role: string): string {
  const url = new URL(connectionString)
  url.username = role
  return url.href
}

function storageOf(role: string): PostgresStorage {
  return createPostgresStorage({ connectionString: urlOf(role) })
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
  const [client, worker] = [programOf('app_web'), programOf('app_worker')]
  await worker.executor.start()
  const handle = await client.executor.enqueueTask(client.double, 21)
  expect(await handle.waitAndGetTaskFinishedExecution()).toMatchObject({ status: 'completed', output: 42 })
})

test('who may select and insert enqueues in a transaction of its own', async () => {
  const { executor, double } = programOf('app_web')
  const client = new Client({ connectionString: urlOf('app_web') })
  await client.connect()
  onTestFinished(() => client.end())
  await client.query('begin')
  const handle = await executor.enqueueTask(double, 1, { transaction: client })
  await client.query('commit')
  expect((await handle.getTaskExecution()).runInput).toBe(1)
})

test('who may not update cannot cancel', async () => {
  const { executor, double } = programOf('app_web')
  const handle = await executor.enqueueTask(double, 1, { sleepMsBeforeRun: 3_600_000 })
  await expect(handle.cancel()).rejects.toThrow('permission denied')
})

test('the owner of the tables deletes trees that are finished for long enough, and no others', async () => {
  const { executor } = programOf('app_worker')
  const leaf = executor.task({ id: 'leaf', timeoutMs: 10_000, run: () => 1 })
  const tree = executor.parentTask({
    id: 'tree',
    timeoutMs: 10_000,
    runParent: () => ({ output: 1, childrenTasks: [{ task: leaf, input: undefined }] }),
  })
  await executor.start()
  const finished = await executor.enqueueTask(tree, undefined)
  await finished.waitAndGetTaskFinishedExecution()
  const waiting = await executor.enqueueTask(leaf, undefined, { sleepMsBeforeRun: 3_600_000 })
  await executor.shutdown()

  const owner = new Client({ connectionString: urlOf('app_migrator') })
  await owner.connect()
  onTestFinished(() => owner.end())
  await owner.query(DELETE_FINISHED)
  expect((await finished.getTaskExecution()).status).toBe('completed')
  await owner.query(DELETE_FINISHED.replace('30 days', '0 days'))
  await expect(finished.getTaskExecution()).rejects.toThrow('not found')
  expect((await waiting.getTaskExecution()).status).toBe('ready')
})
