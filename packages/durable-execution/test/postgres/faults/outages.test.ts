/** Work goes on after whatever happens to its connections: ended by the server, a restart, none to be had, a slow or dead line. */

import { setTimeout as pause } from 'node:timers/promises'

import { Client, Pool } from 'pg'
import { beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest'

import { type PostgresServer } from '../../../../../scripts/postgres/server.ts'
import {
  DurableExecutor,
  type DurableStorage,
  type DurableTask,
  type DurableTaskExecutionStorageObject,
  type DurableTaskHandle,
} from '../../../src/index.ts'
import { ALL_STATUSES } from '../../../src/machine/status.ts'
import { checkWorld } from '../../../src/machine/invariants.ts'
import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/index.ts'
import { kindOf } from '../../../src/testing/conformance/engine/transaction-kinds.ts'
import { newSchema } from '../places.ts'
import { ownServer } from '../server.ts'
import { type Audit, keepLedger } from './audit.ts'
import { createStruckStorage } from './struck-storage.ts'
import { finishAll, throughOutages } from './through-outages.ts'
import { openWire, type Wire } from './tcp-proxy.ts'

const TREES = 12
const CHILDREN = 4
const TREE_OUTPUT = 2 * (0 + 1 + 2 + 3)

let server: PostgresServer
let schema: string
let audit: Audit

beforeAll(async () => {
  server = await ownServer({ tcp: true })
}, 120_000)

beforeEach(async () => {
  schema = newSchema()
  await using storage = createPostgresStorage({
    connectionString: server.connectionString,
    schema,
    hints: false,
  })
  await storage.migrate()
  audit = await keepLedger(server.connectionString, schema)
})

test('backends that are ended again and again in the middle of work cost nothing but time', async () => {
  const { storage, tree, executor, starts } = await startWorking()
  const done = finishAll(await enqueueTrees(executor, tree))
  for (const soFar of [10, 25, 40]) {
    await until(() => starts() >= soFar)
    await terminateAll()
  }
  await expectAllCompleted(storage, await done)
})

test('work goes on at once after the backends of an idle executor were ended', async () => {
  const { storage, tree, executor } = await startWorking()
  await pause(200)
  await terminateAll()
  await expectAllCompleted(storage, await finishAll(await enqueueTrees(executor, tree)))
})

test.each([true, false])(
  'a server that is restarted in the middle of work is waited for (graceful: %s)',
  async (isGraceful) => {
    const { storage, tree, executor, starts } = await startWorking()
    const done = finishAll(await enqueueTrees(executor, tree))
    await until(() => starts() >= 20)
    await server.restart({ isGraceful })
    await expectAllCompleted(storage, await done)
  },
)

test('after an outage in which nobody was reached, work goes on within seconds', async () => {
  const wire = await openTestWire()
  const { storage, tree, executor, starts } = await startWorking({ wire })
  const handles = await enqueueTrees(executor, tree)
  await until(() => starts() >= 10)
  wire.become('refuses')
  await until(() => !executor.health().ok)
  wire.become('passes')
  const backAt = performance.now()
  await expectAllCompleted(storage, await finishAll(handles))
  // The longest pause of the loops is 5 s, and a lease lasts 1.5 s.
  expect(performance.now() - backAt).toBeLessThan(12_000)
  await until(() => executor.health().ok)
})

test('a line that was dead for a while and then delivers all it kept does no harm', async () => {
  const wire = await openTestWire()
  const { storage, tree, executor, starts } = await startWorking({ wire })
  const handles = await enqueueTrees(executor, tree)
  await until(() => starts() >= 10)
  wire.become('silent')
  await pause(3_000)
  wire.become('passes')
  await expectAllCompleted(storage, await finishAll(handles))
})

test('a slow line slows the work, and that is all', async () => {
  const wire = await openTestWire()
  wire.slowDown(5)
  const { storage, tree, executor } = await startWorking({ wire })
  await expectAllCompleted(storage, await finishAll(await enqueueTrees(executor, tree)))
})

test('one connection is enough for an executor under load', async () => {
  const { storage, tree, executor } = await startWorking({ maxConnections: 1 })
  await expectAllCompleted(storage, await finishAll(await enqueueTrees(executor, tree)))
})

test('the user’s own queries on a shared pool only delay the work', async () => {
  const pool = new Pool({ connectionString: server.connectionString, max: 3 })
  onTestFinished(() => pool.end())
  const { storage, tree, executor, starts } = await startWorking({ pool })
  const handles = await enqueueTrees(executor, tree)
  await until(() => starts() >= 5)
  // Longer than a lease, so that some run is lost and taken up again.
  await Promise.all(Array.from({ length: 9 }, () => pool.query('select pg_sleep(0.8)')))
  await expectAllCompleted(storage, await finishAll(handles))
})

test('a commit that vanishes on the line is made again once the server gave up waiting for it', async () => {
  const wire = await openTestWire()
  const url = new URL(server.connectionString)
  url.port = String(wire.port)
  const pool = new Pool({ connectionString: url.href, max: 4 })
  const storage = createStruckStorage(pool, wire, { schema, statementTimeoutMs: 500 })
  onTestFinished(() => storage.close())
  const { tree, executor } = await startExecutor(storage)
  const kinds = new Set<unknown>(['fan_out', 'settle_with_parent'])
  storage.strikeWhen((trace) => (kinds.delete(kindOf(trace)) ? 'silence' : undefined))
  await expectAllCompleted(storage, await finishAll(await enqueueTrees(executor, tree)))
  expect(wire.struck()).toEqual(['silence', 'silence'])
})

type Way = { wire?: Wire; pool?: Pool; maxConnections?: number }

function open({ wire, pool, maxConnections = 4 }: Way = {}): PostgresStorage {
  const url = new URL(server.connectionString)
  url.port = String(wire?.port ?? server.port)
  const source = pool === undefined ? { connectionString: url.href, maxConnections } : { pool }
  const storage = createPostgresStorage({ ...source, schema, hints: false })
  onTestFinished(() => storage.close())
  return storage
}

type Working = {
  storage: PostgresStorage
  executor: DurableExecutor
  tree: DurableTask<number, number>
  /** How many runs of children were started. */
  starts: () => number
}

async function startWorking(way: Way = {}): Promise<Working> {
  const storage = open(way)
  return { storage, ...(await startExecutor(storage)) }
}

async function startExecutor(storage: DurableStorage): Promise<Omit<Working, 'storage'>> {
  let starts = 0
  const executor = new DurableExecutor(storage, {
    expireMs: 1_500,
    backgroundProcessIntraBatchSleepMs: 100,
    maxConcurrentTaskExecutions: 8,
    // Whatever is lost here is lost on purpose.
    maxLosses: 100,
    logger: { debug: () => {}, info: () => {}, error: () => {} },
  })
  const leaf = executor.task({
    id: 'leaf',
    timeoutMs: 60_000,
    run: async (_, input: number) => {
      starts += 1
      await pause(20)
      return input * 2
    },
  })
  const tree = executor.parentTask({
    id: 'tree',
    timeoutMs: 60_000,
    runParent: (_, input: number) => ({
      output: input,
      childrenTasks: Array.from({ length: CHILDREN }, (__, index) => ({ task: leaf, input: index })),
    }),
    finalizeTask: {
      id: 'sum',
      timeoutMs: 60_000,
      run: (_, { childrenTasksOutputs }) =>
        childrenTasksOutputs.reduce((sum, child) => sum + (child.output as number), 0),
    },
  })
  await executor.start()
  onTestFinished(() => executor.shutdown({ graceMs: 0 }))
  return { executor, tree, starts: () => starts }
}

async function enqueueTrees(
  executor: DurableExecutor,
  tree: DurableTask<number, number>,
): Promise<Array<DurableTaskHandle<number>>> {
  return await Promise.all(Array.from({ length: TREES }, (_, index) => executor.enqueueTask(tree, index)))
}

async function expectAllCompleted(storage: DurableStorage, outputs: Array<unknown>): Promise<void> {
  expect(outputs).toEqual(outputs.map(() => TREE_OUTPUT))
  await until(async () => (await readRows(storage)).every((row) => row.isClosed))
  const rows = await readRows(storage)
  expect(rows).toHaveLength(TREES * (2 + CHILDREN))
  expect(checkWorld(rows)).toEqual([])
  expect(await audit.findings()).toEqual([])
}

async function readRows(storage: DurableStorage): Promise<Array<DurableTaskExecutionStorageObject>> {
  return await throughOutages(() =>
    storage.withTransaction(
      async (tx) => await tx.getTaskExecutions({ type: 'by_statuses', statuses: [...ALL_STATUSES] }),
    ),
  )
}

async function openTestWire(): Promise<Wire> {
  const wire = await openWire(server.port)
  onTestFinished(() => wire.close())
  return wire
}

async function terminateAll(): Promise<void> {
  const client = new Client({ connectionString: server.connectionString })
  await client.connect()
  try {
    await client.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
         where backend_type = 'client backend' and pid <> pg_backend_pid()`,
    )
  } finally {
    await client.end()
  }
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) {
    await pause(10)
  }
}
