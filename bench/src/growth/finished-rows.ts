/**
 * Growth by finished rows: what enqueueing and claiming cost beside many of them, against a storage without any.
 * Rows are inserted and claimed in batches, in turn with the other storage; the figures are medians of the pairs.
 */

import { Client } from 'pg'

import { type DurableStorage } from 'durable-execution'

import { claimBatch, insertBatch, settleBatch, timed } from '../batches.ts'
import { type Metrics } from '../measure/metrics.ts'
import { median } from '../measure/quantile.ts'
import { type GrowthJob } from './growth.ts'
import { lineMetrics } from './lines.ts'
import { openOurStorage } from './our-storage.ts'

type Cost = { enqueueMicros: number; claimMicros: number }

const PAIRS = 5
const BATCH = 250
const MEASURED = 10_000
const FILLED_AT_ONCE = 1_000

export async function measureFinishedRows(full: DurableStorage, job: GrowthJob): Promise<Metrics> {
  const { storage: empty, close } = openOurStorage(job.engine, job.otherPlace)
  try {
    await fill(full, job.amounts.rows)
    if (job.engine === 'ours:postgres') {
      await comeToRest(job.place)
    }
    const [emptyCosts, fullCosts]: [Array<Cost>, Array<Cost>] = [[], []]
    for (let pair = 0; pair <= PAIRS; pair += 1) {
      const [emptyCost, fullCost] = [await measure(empty), await measure(full)]
      // The first pair pays for the compiler.
      if (pair > 0) {
        emptyCosts.push(emptyCost)
        fullCosts.push(fullCost)
      }
    }
    const line = (id: string, read: (cost: Cost) => number): Metrics =>
      lineMetrics(id, median(emptyCosts.map(read)), median(fullCosts.map(read)))
    return {
      finishedRows: job.amounts.rows,
      ...line('finishedRowsEnqueue', ({ enqueueMicros }) => enqueueMicros),
      ...line('finishedRowsClaim', ({ claimMicros }) => claimMicros),
    }
  } finally {
    await close()
  }
}

async function fill(storage: DurableStorage, count: number): Promise<void> {
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

/** What the database still has to do with the rows that were filled in is not to fall into the measurement. */
async function comeToRest(connectionString: string): Promise<void> {
  const client = new Client({ connectionString })
  await client.connect()
  await client.query('vacuum analyze durable_execution.execution_rows')
  await client.query('checkpoint')
  await client.end()
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
