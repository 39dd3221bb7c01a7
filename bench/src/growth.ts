/**
 * Growth: what enqueueing and claiming cost beside many finished rows, against a storage without any. Rows are
 * inserted and claimed in batches, in turn with the other storage; the figures are medians of five such pairs.
 * Postgres is a real server, with durability on.
 *
 *     npm run bench:growth [-- --storage sqlite|postgres] [--rows 1000000]
 */

import { parseArgs } from 'node:util'

import { Client } from 'pg'

import { type DurableStorage } from 'durable-execution'
import { createPostgresStorage } from 'durable-execution/postgres'

import { startPostgres } from '../../scripts/postgres/server.ts'
import { claimBatch, insertBatch, settleBatch, timed } from './batches.ts'
import { openStorage, quantile } from './storages.ts'

type Pair = {
  full: DurableStorage
  empty: DurableStorage
  /** Waits for what the database still does with the rows that were filled in. */
  comeToRest: () => Promise<void>
  cleanUp: () => Promise<void>
}
type Cost = { enqueueMicros: number; claimMicros: number }

const PAIRS = 5
const BATCH = 250
const MEASURED = 10_000
const FILLED_AT_ONCE = 1_000

const { values } = parseArgs({
  options: { storage: { type: 'string' }, rows: { type: 'string', default: '1000000' } },
})
const count = Number(values.rows)

console.log('| storage | finished rows | | empty, µs a row | full, µs a row | ratio |')
console.log('|---|---|---|---|---|---|')
for (const name of values.storage === undefined ? ['sqlite', 'postgres'] : [values.storage]) {
  const { full, empty, comeToRest, cleanUp } =
    name === 'postgres' ? await openPostgres() : await openOthers(name)
  try {
    await fill(full)
    await comeToRest()
    const costs: { full: Array<Cost>; empty: Array<Cost> } = { full: [], empty: [] }
    for (let pair = 0; pair <= PAIRS; pair += 1) {
      const cost = { empty: await measure(empty), full: await measure(full) }
      // The first pair pays for the compiler.
      if (pair > 0) {
        costs.empty.push(cost.empty)
        costs.full.push(cost.full)
      }
    }
    print(name, 'enqueue', costs.empty, costs.full, ({ enqueueMicros }) => enqueueMicros)
    print(name, 'claim', costs.empty, costs.full, ({ claimMicros }) => claimMicros)
  } finally {
    await cleanUp()
  }
}

function print(
  name: string,
  what: string,
  empty: Array<Cost>,
  full: Array<Cost>,
  read: (cost: Cost) => number,
): void {
  const [before, after] = [empty, full].map((costs) => quantile(costs.map(read), 0.5))
  const ratio = (after ?? Number.NaN) / (before ?? Number.NaN)
  console.log(
    `| ${name} | ${count.toLocaleString('en')} | ${what} | ${before?.toFixed(1)} | ${after?.toFixed(1)} | ${ratio.toFixed(2)} |`,
  )
}

async function fill(storage: DurableStorage): Promise<void> {
  const at = new Date()
  const finished = {
    status: 'completed' as const,
    isClosed: true,
    startedAt: at,
    finishedAt: at,
    runOutput: '"done"',
    output: '"done"',
  }
  for (let filled = 0; filled < count; filled += FILLED_AT_ONCE) {
    await insertBatch(storage, Math.min(FILLED_AT_ONCE, count - filled), finished)
  }
}

async function measure(storage: DurableStorage): Promise<Cost> {
  const batches = Array.from({ length: MEASURED / BATCH })
  const enqueueMs = await timed(async () => {
    for (const _ of batches) {
      await insertBatch(storage, BATCH)
    }
  })
  const claimed: Array<Array<string>> = []
  const claimMs = await timed(async () => {
    for (const _ of batches) {
      claimed.push(await claimBatch(storage, BATCH))
    }
  })
  for (const executionIds of claimed) {
    await settleBatch(storage, executionIds)
  }
  return { enqueueMicros: (enqueueMs * 1_000) / MEASURED, claimMicros: (claimMs * 1_000) / MEASURED }
}

async function openOthers(name: string): Promise<Pair> {
  const [full, empty] = [await openStorage(name), await openStorage(name)]
  return {
    full: full.storage,
    empty: empty.storage,
    comeToRest: () => Promise.resolve(),
    cleanUp: async () => {
      await full.cleanUp()
      await empty.cleanUp()
    },
  }
}

async function openPostgres(): Promise<Pair> {
  const server = await startPostgres({ durable: true, settings: { shared_buffers: '512MB' } })
  const [place, other] = [await server.createDatabase(), await server.createDatabase()]
  const full = createPostgresStorage({ connectionString: place, hints: false })
  const empty = createPostgresStorage({ connectionString: other, hints: false })
  return {
    full,
    empty,
    comeToRest: async () => {
      const client = new Client({ connectionString: place })
      await client.connect()
      await client.query('vacuum analyze durable_execution.executions')
      await client.query('checkpoint')
      await client.end()
    },
    cleanUp: async () => {
      await full.close()
      await empty.close()
      await server.stop()
    },
  }
}
