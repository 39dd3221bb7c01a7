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

import {
  createPostgresStorage,
  POSTGRES_SESSION_OPTIONS,
  type PostgresPool,
  type PostgresStorage,
} from 'durable-execution/postgres'

import { startPostgres } from '../../scripts/postgres/server.ts'
import { claimBatch, insertBatch, settleBatch, timed } from './batches.ts'
import { quantile } from './measure/quantile.ts'

const ROWS = 40_000
const WARM_UP = 10_000
const SINGLES = 500

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
      leases.push(await claimBatch(storage, batch))
    }
  })
  const settled = await rate(count, async () => {
    for (const ids of leases) {
      await settleBatch(storage, ids)
    }
  })
  await insertAll(storage, batches)
  const both = await rate(count, async () => {
    let settling: Promise<void> = Promise.resolve()
    for (const _ of batches) {
      const ids = await claimBatch(storage, batch)
      await settling
      settling = settleBatch(storage, ids)
    }
    await settling
  })
  return [inserted, claimed, settled, both]
}

async function insertAll(storage: PostgresStorage, batches: Array<number>): Promise<void> {
  for (const _ of batches) {
    await insertBatch(storage, batch)
  }
}

async function measureSingles(storage: PostgresStorage): Promise<string> {
  const times: Record<'insert' | 'claim' | 'settle', Array<number>> = { insert: [], claim: [], settle: [] }
  for (let index = 0; index < SINGLES; index += 1) {
    times.insert.push(await timed(() => insertBatch(storage, 1)))
    let ids: Array<string> = []
    times.claim.push(
      await timed(async () => {
        ids = await claimBatch(storage, 1)
      }),
    )
    times.settle.push(await timed(() => settleBatch(storage, ids)))
  }
  return Object.entries(times)
    .map(([name, ms]) => `${name} of one, p50: ${quantile(ms, 0.5).toFixed(2)} ms`)
    .join('; ')
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
