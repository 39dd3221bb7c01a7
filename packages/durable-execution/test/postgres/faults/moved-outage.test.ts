/** An outage of five minutes, on a clock that is moved, over a real line that nobody gets through. */

import assert from 'node:assert/strict'

import { Pool } from 'pg'
import { afterAll, beforeAll, test } from 'vitest'

import { POSTGRES_SESSION_OPTIONS } from '../../../src/storage/postgres/index.ts'
import { latest, quickTask, untilTrue, waitingTask } from '../../../src/testing/conformance/engine/lives.ts'
import { type EngineWorld, runInWorld } from '../../../src/testing/conformance/engine/world.ts'
import { newSchema } from '../places.ts'
import { ownServer } from '../server.ts'
import { countAnswers, countTurnsAfterAnswers } from './answered-turns.ts'
import { createStruckStorage } from './struck-storage.ts'
import { openWire, type Wire } from './tcp-proxy.ts'

// The loops' longest pause is 5 s; a lapsed lease is looked for once in so long, and with some jitter.
const SOON_MS = 10_000
const EXPIRE_MS = 3_000

let port: number
let stopCounting: () => void

beforeAll(async () => {
  port = (await ownServer({ tcp: true })).port
  stopCounting = countTurnsAfterAnswers()
}, 120_000)

afterAll(() => stopCounting())

test('after five minutes without the server every loop goes on within seconds', async () => {
  await inWorldOverWire(async (world, wire) => {
    const executor = world.newExecutor({ expireMs: EXPIRE_MS })
    const quick = quickTask(executor, 'quick')
    const long = waitingTask(executor, 'long')
    await world.until(executor.start())
    const interrupted = await world.until(executor.enqueueTask(long.task, 1))
    await untilTrue(world, () => long.started.length === 1)

    wire.become('refuses')
    await world.clock.advance('5m')
    assert.equal(executor.health().ok, false, 'the outage is seen')
    assert.equal(latest(long.started).ctx.cancelSignal.isCancelled(), true, 'the run gave up its lease')
    wire.become('passes')

    // Claiming and settling.
    const handle = await world.until(executor.enqueueTask(quick, 2), SOON_MS)
    assert.equal((await world.finish(handle, SOON_MS)).status, 'completed')
    // Recovering what was lost, and renewing it from then on.
    await untilTrue(world, () => long.started.length === 2, SOON_MS)
    await world.clock.advance(3 * EXPIRE_MS)
    latest(long.started).gate.open('done')
    assert.equal((await world.finish(interrupted, SOON_MS)).status, 'completed')
    assert.equal(long.started.length, 2, 'the second run kept its lease')
    // Asking what was cancelled: another executor does it, so only the storage tells.
    const doomed = await world.until(executor.enqueueTask(long.task, 3), SOON_MS)
    await untilTrue(world, () => long.started.length === 3, SOON_MS)
    const other = world.newExecutor({ storage: { ...world.storage } })
    const same = await world.until(
      other.getTaskHandle(waitingTask(other, 'long').task, doomed.getTaskExecutionId()),
    )
    await world.until(same.cancel(), SOON_MS)
    await untilTrue(world, () => latest(long.started).ctx.cancelSignal.isCancelled(), SOON_MS)
    latest(long.started).gate.open('too late')
    assert.equal((await world.finish(doomed, SOON_MS)).status, 'cancelled')
    await untilTrue(world, () => executor.health().ok, SOON_MS)
  })
})

async function inWorldOverWire(run: (world: EngineWorld, wire: Wire) => Promise<void>): Promise<void> {
  const wire = await openWire(port)
  const pool = new Pool({
    connectionString: `postgresql://postgres@127.0.0.1:${wire.port}/postgres`,
    options: POSTGRES_SESSION_OPTIONS,
    max: 5,
  })
  const storage = createStruckStorage(pool, wire, { schema: newSchema() })
  try {
    await runInWorld(
      () => Promise.resolve(countAnswers(storage)),
      (world) => run(world, wire),
    )
  } finally {
    await storage.close()
    await wire.close()
  }
}
