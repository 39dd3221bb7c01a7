/** Faults behind a transaction-mode pooler: lost transactions of each kind, a pooler that dies, hints that go past it. */

import { setTimeout as pause } from 'node:timers/promises'

import { Client } from 'pg'
import { afterEach, beforeAll, expect, onTestFinished, test } from 'vitest'

import { DurableExecutor, type DurableStorageChangeHint } from '../../src/index.ts'
import { createPostgresStorage, type PostgresStorage } from '../../src/storage/postgres/index.ts'
import { countTurnsAfterAnswers } from '../postgres/faults/answered-turns.ts'
import { liveThroughFaults, STRUCK_KINDS } from '../postgres/faults/fault-table.ts'
import { finishAll } from '../postgres/faults/through-outages.ts'
import { newSchema } from '../postgres/places.ts'
import { type PooledDatabase, pooledDatabase } from './places.ts'

const TASKS = 100

let database: PooledDatabase
let stopCounting: (() => void) | undefined

beforeAll(async () => {
  database = await pooledDatabase()
}, 120_000)

afterEach(() => {
  stopCounting?.()
  stopCounting = undefined
})

test.each(['lost_request', 'lost_reply'] as const)(
  'a transaction of each kind is done once in the end though the line to the pooler breaks (%s)',
  async (fault) => {
    stopCounting = countTurnsAfterAnswers()
    await liveThroughFaults({ connectionString: database.pooled, sessionOptions: '' }, STRUCK_KINDS, fault)
  },
)

test('a pooler that dies and comes back in the middle of work costs nothing but time', async () => {
  await workThrough(async () => await database.pooler.restart())
})

test('backends that are ended behind the pooler cost nothing but time', async () => {
  await workThrough(async () => {
    const client = new Client({ connectionString: database.direct })
    await client.connect()
    await client.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
         where backend_type = 'client backend' and pid <> pg_backend_pid() and datname = current_database()`,
    )
    await client.end()
  })
})

test('hints are heard by a connection that leads past the pooler', async () => {
  const schema = newSchema()
  const [speaker, listener] = [open(schema, database.direct), open(schema, database.direct)]
  await speaker.migrate()
  const { promise: heard, resolve } = Promise.withResolvers<DurableStorageChangeHint>()
  await listener.onChange?.(resolve)
  await speaker.notifyChange?.({ ready: true, executionIds: ['te_1'] })
  expect(await heard).toEqual({ ready: true, executionIds: ['te_1'] })
})

test('without such a connection no hint is heard, and the work is found by polling', async () => {
  const schema = newSchema()
  const [speaker, listener] = [open(schema), open(schema)]
  await speaker.migrate()
  const heard: Array<DurableStorageChangeHint> = []
  await listener.onChange?.((hint) => heard.push(hint))
  await speaker.notifyChange?.({ ready: true })
  // What does not come can only be waited for.
  await pause(500)
  expect(heard).toEqual([])
  const worker = startExecutor(listener)
  const client = new DurableExecutor(speaker, { logger: SILENT })
  const task = client.task({ id: 'double', timeoutMs: 60_000, run: (_, input: number) => input * 2 })
  await worker.start()
  const handle = await client.enqueueTask(task, 21)
  const end = await handle.waitAndGetTaskFinishedExecution({ pollingIntervalMs: 50 })
  expect(end).toMatchObject({ status: 'completed', output: 42 })
})

const SILENT = { debug: () => {}, info: () => {}, error: () => {} }

function open(schema: string, listenConnectionString?: string): PostgresStorage {
  const storage = createPostgresStorage({ connectionString: database.pooled, schema, listenConnectionString })
  onTestFinished(() => storage.close())
  return storage
}

let starts = 0

function startExecutor(storage: PostgresStorage): DurableExecutor {
  const executor = new DurableExecutor(storage, {
    expireMs: 1_500,
    backgroundProcessIntraBatchSleepMs: 100,
    maxConcurrentTaskExecutions: 10,
    // Whatever is lost here is lost on purpose.
    maxLosses: 100,
    logger: SILENT,
  })
  executor.task({
    id: 'double',
    timeoutMs: 60_000,
    run: async (_, input: number) => {
      starts += 1
      await pause(20)
      return input * 2
    },
  })
  onTestFinished(() => executor.shutdown({ graceMs: 0 }))
  return executor
}

/** Strikes twice in the middle of work, all of which is done in the end. */
async function workThrough(strike: () => Promise<void>): Promise<void> {
  const storage = createPostgresStorage({
    connectionString: database.pooled,
    schema: newSchema(),
    hints: false,
  })
  onTestFinished(() => storage.close())
  const executor = startExecutor(storage)
  await executor.start()
  const handles = await Promise.all(
    Array.from({ length: TASKS }, (_, index) =>
      executor.enqueueTask<number, number>({ id: 'double' }, index),
    ),
  )
  for (let strikes = 1; strikes <= 2; strikes += 1) {
    const soFar = starts
    while (starts < soFar + 20) {
      await pause(10)
    }
    await strike()
  }
  const outputs = await finishAll(handles)
  expect(outputs).toEqual(handles.map((_, index) => index * 2))
}
