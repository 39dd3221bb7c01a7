/**
 * The Postgres storage by itself: how many rows a second are inserted, claimed and settled in batches, how
 * long a single one takes, and how many statements that is. The server is a real one, with durability on.
 *
 *     node --experimental-strip-types bench/src/postgres-storage.ts [connection|transaction] [batch]
 *
 * `connection`: the settings of the plans come with the connection; `transaction`: each transaction makes
 * them, as behind a pooler.
 */

import { Pool } from 'pg'

import { createDurableTaskExecutionStorageObject, type DurableStorageTx } from 'durable-execution'
import {
  createPostgresStorage,
  POSTGRES_SESSION_OPTIONS,
  type PostgresPool,
  type PostgresStorage,
} from 'durable-execution/postgres'

import { startPostgres } from '../../scripts/postgres/server.ts'
import { quantile } from './storages.ts'

const ROWS = 40_000
const WARM_UP = 10_000
const SINGLES = 500

let drawn = 0

const [scope = 'connection', batchText = '250'] = process.argv.slice(2)
const batch = Number(batchText)
const server = await startPostgres({ durable: true, settings: { shared_buffers: '512MB' } })
try {
  const pool = new Pool({
    connectionString: await server.createDatabase(),
    ...(scope === 'connection' ? { options: POSTGRES_SESSION_OPTIONS } : {}),
  })
  const { counted, statements } = countStatements(pool)
  const storage = createPostgresStorage({ pool: counted, hints: false })
  await storage.migrate()
  await measureBatches(storage, WARM_UP)
  const before = statements()
  const [inserted, claimed, settled, both] = await measureBatches(storage, ROWS)
  const used = statements() - before
  console.log(
    '| settings | batch | insert /s | claim /s | settle /s | claim beside settle /s | statements a batch |',
  )
  console.log('|---|---|---|---|---|---|---|')
  const cells = [inserted, claimed, settled, both].map((rate) => Math.round(rate).toLocaleString('en'))
  console.log(`| ${scope} | ${batch} | ${cells.join(' | ')} | ${(used / ((ROWS / batch) * 6)).toFixed(1)} |`)
  console.log(await measureSingles(storage))
  await storage.close()
  await pool.end()
} finally {
  await server.stop()
}

type Rates = [inserted: number, claimed: number, settled: number, both: number]

async function measureBatches(storage: PostgresStorage, count: number): Promise<Rates> {
  const batches = Array.from({ length: count / batch }, (_, index) => index)
  const inserted = await rate(count, async () => await insertAll(storage, batches))
  const leases: Array<Array<string>> = []
  const claimed = await rate(count, async () => {
    for (const _ of batches) {
      leases.push(await claim(storage))
    }
  })
  const settled = await rate(count, async () => {
    for (const ids of leases) {
      await settle(storage, ids)
    }
  })
  await insertAll(storage, batches)
  const both = await rate(count, async () => {
    let settling: Promise<void> = Promise.resolve()
    for (const _ of batches) {
      const ids = await claim(storage)
      await settling
      settling = settle(storage, ids)
    }
    await settling
  })
  return [inserted, claimed, settled, both]
}

async function insertAll(storage: PostgresStorage, batches: Array<number>): Promise<void> {
  for (const _ of batches) {
    const rows = Array.from({ length: batch }, newRow)
    await one(storage, async (tx) => await tx.insertTaskExecutions(rows))
  }
}

async function measureSingles(storage: PostgresStorage): Promise<string> {
  const times: Record<'insert' | 'claim' | 'settle', Array<number>> = { insert: [], claim: [], settle: [] }
  for (let index = 0; index < SINGLES; index += 1) {
    times.insert.push(
      await timed(() => one(storage, async (tx) => await tx.insertTaskExecutions([newRow()]))),
    )
    let ids: Array<string> = []
    times.claim.push(
      await timed(async () => {
        ids = await claim(storage, 1)
      }),
    )
    times.settle.push(await timed(() => settle(storage, ids)))
  }
  return Object.entries(times)
    .map(([name, ms]) => `${name} of one, p50: ${quantile(ms, 0.5).toFixed(2)} ms`)
    .join('; ')
}

function newRow(): Parameters<DurableStorageTx['insertTaskExecutions']>[0][number] {
  drawn += 1
  return createDurableTaskExecutionStorageObject({
    now: new Date(),
    taskId: 'noop',
    executionId: `te_${String(drawn).padStart(32, '0')}`,
    retryOptions: { maxAttempts: 0 },
    sleepMsBeforeRun: 0,
    timeoutMs: 60_000,
    runInput: JSON.stringify({ number: drawn, text: 'x'.repeat(60) }),
  })
}

async function claim(storage: PostgresStorage, limit: number = batch): Promise<Array<string>> {
  const now = new Date()
  const rows = await one(
    storage,
    async (tx) =>
      await tx.claimTaskExecutions?.({
        taskIds: ['noop'],
        excludedExecutionIds: [],
        limit,
        now,
        expiresAt: new Date(now.getTime() + 30_000),
        leaseId: 'lease',
        executorId: 'executor',
      }),
  )
  return (rows ?? []).map(({ executionId }) => executionId)
}

async function settle(storage: PostgresStorage, executionIds: Array<string>): Promise<void> {
  const now = new Date()
  const updates = executionIds.map((executionId) => ({
    executionId,
    statuses: ['running' as const],
    leaseId: 'lease',
    update: {
      status: 'completed' as const,
      runOutput: `"${executionId}"`,
      output: `"${executionId}"`,
      isClosed: true,
      finishedAt: now,
      unsetExpiresAt: true,
      unsetError: true,
      losses: 0,
      updatedAt: now,
    },
  }))
  const changed = await one(storage, async (tx) => await tx.updateTaskExecutionsBatch?.(updates))
  if (changed?.length !== executionIds.length) {
    throw new Error('a settle did not match')
  }
}

async function one<T>(storage: PostgresStorage, fn: (tx: DurableStorageTx) => Promise<T>): Promise<T> {
  return await storage.withTransaction(fn, { oneCall: true })
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

async function rate(count: number, work: () => Promise<void>): Promise<number> {
  return (count / (await timed(work))) * 1_000
}

function countStatements(pool: Pool): { counted: PostgresPool; statements: () => number } {
  let count = 0
  const counted: PostgresPool = {
    on: pool.on.bind(pool),
    off: pool.off.bind(pool),
    connect: async () => {
      const client = await pool.connect()
      return Object.assign(Object.create(client) as typeof client, {
        query: (query: { text: string }) => {
          count += 1
          return client.query(query as never)
        },
      })
    },
  }
  return { counted, statements: () => count }
}
