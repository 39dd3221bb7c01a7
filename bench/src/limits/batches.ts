/** The limit of a storage by itself: rows inserted, claimed and settled in batches, with no engine around them. */

import { type Metrics } from '../measure/metrics.ts'

/** The least that an engine asks of its storage; each call is one commit. */
export type RawStorage = {
  insert: (ids: Array<string>) => Promise<void> | void
  /** Takes at most so many rows that are ready; gives their ids. */
  claim: (limit: number) => Promise<Array<string>> | Array<string>
  settle: (ids: Array<string>) => Promise<void> | void
}

/** Rows in an insert, and in a claim or a settle. */
const INSERTED_AT_ONCE = 1_000
const CLAIMED_AT_ONCE = 200

/** What a row carries, as large as that of a small task. */
export const INPUT: string = JSON.stringify({ number: 42, text: 'x'.repeat(60) })

let drawn = 0

/** Measures as a throughput run does: all is inserted first, then claimed and settled by so many loops. */
export async function measureLimit(
  storage: RawStorage,
  { tasks, warm }: { tasks: number; warm: number },
  loops: number,
): Promise<Metrics> {
  if (warm > 0) {
    await runOnce(storage, warm, loops)
  }
  const { insertMs, processMs } = await runOnce(storage, tasks, loops)
  return {
    limitEnqueuePerSec: (tasks / insertMs) * 1_000,
    limitProcessPerSec: (tasks / processMs) * 1_000,
  }
}

async function runOnce(
  storage: RawStorage,
  count: number,
  loops: number,
): Promise<{ insertMs: number; processMs: number }> {
  const startedAt = performance.now()
  for (let inserted = 0; inserted < count; inserted += INSERTED_AT_ONCE) {
    await storage.insert(drawIds(Math.min(INSERTED_AT_ONCE, count - inserted)))
  }
  const insertedAt = performance.now()
  const settled = await Promise.all(Array.from({ length: loops }, () => drain(storage)))
  const endedAt = performance.now()
  const sum = settled.reduce((all, each) => all + each, 0)
  if (sum !== count) {
    throw new Error(`Of ${count} rows ${sum} were claimed`)
  }
  return { insertMs: insertedAt - startedAt, processMs: endedAt - insertedAt }
}

async function drain(storage: RawStorage): Promise<number> {
  let settled = 0
  for (;;) {
    const ids = await storage.claim(CLAIMED_AT_ONCE)
    if (ids.length === 0) {
      return settled
    }
    await storage.settle(ids)
    settled += ids.length
  }
}

function drawIds(count: number): Array<string> {
  return Array.from({ length: count }, () => {
    drawn += 1
    return `te_${String(drawn).padStart(20, '0')}`
  })
}
