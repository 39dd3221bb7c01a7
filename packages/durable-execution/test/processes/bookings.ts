/** What `ctx.transaction` promises on any storage that processes share, though they are killed at any moment. */

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { expect, onTestFinished, test } from 'vitest'

import { DurableExecutor, type DurableStorage } from '../../src/index.ts'
import { ALL_STATUSES, type ExecutionRow } from '../../src/machine/execution.ts'
import { bookingsTable, BOOKINGS_PER_ORDER, defineOrder } from './booked-orders.ts'
import { openStorage, type Place, type PlaceName } from './harness/places.ts'

const WORKER = join(import.meta.dirname, 'booking-worker.ts')
const EXPIRE_MS = 1_000
const ORDERS = 100
const KILLS = 8
// Soon after it has begun to take orders.
const LIVES_AT_MOST_MS = 250

/** Defines the test. */
export function testBookings(openPlace: (folder: string) => Place | Promise<Place>): void {
  test('what is booked in transactions is what is remembered, however often a process is killed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'durable-execution-bookings-'))
    const place = await openPlace(folder)
    const storage = openStorage(place.name)
    await storage.migrate()
    const table = bookingsTable(place.name)
    await place.query(`create table ${table} (token text not null)`)
    const quiet = (): void => {}
    const client = new DurableExecutor(storage, { logger: { debug: quiet, info: quiet, error: quiet } })
    onTestFinished(async () => {
      await client.shutdown()
      await storage.close()
      await place.close()
      rmSync(folder, { recursive: true, force: true })
    })
    const order = defineOrder(client, place.name)
    const handles = await client.enqueueTasks(
      order,
      Array.from({ length: ORDERS }, () => undefined),
    )
    let interrupted = 0
    for (let kills = 0; kills < KILLS; kills += 1) {
      const worker = await startWorker(place.name)
      await pause(Math.random() * LIVES_AT_MOST_MS)
      worker.kill('SIGKILL')
      await once(worker, 'exit')
      interrupted += (await rowsOf(storage)).filter(({ status }) => status === 'running').length
    }
    const last = await startWorker(place.name)
    const ends = await Promise.all(handles.map((handle) => handle.waitAndGetTaskFinishedExecution()))
    last.kill('SIGKILL')
    await once(last, 'exit')

    const remembered = (await rowsOf(storage)).filter(({ runInput }) => runInput === '#step')
    const booked = (await place.query(`select token from ${table}`)).map(([token]) => JSON.stringify(token))
    expect(booked.toSorted()).toEqual(remembered.map(({ output }) => output ?? '').toSorted())
    expect(remembered).toHaveLength(ORDERS * BOOKINGS_PER_ORDER)
    expect(ends.map(({ status }) => status)).toEqual(ends.map(() => 'completed'))
    expect(interrupted).toBeGreaterThan(0)
  })
}

async function rowsOf(storage: DurableStorage): Promise<Array<ExecutionRow>> {
  return await storage.withTransaction(
    async (tx) => await tx.getTaskExecutions({ type: 'by_statuses', statuses: [...ALL_STATUSES] }),
  )
}

async function startWorker(place: PlaceName): Promise<ChildProcess> {
  const worker = fork(WORKER, [JSON.stringify(place), String(EXPIRE_MS)], {
    execArgv: ['--experimental-strip-types', '--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  await once(worker, 'message')
  return worker
}
