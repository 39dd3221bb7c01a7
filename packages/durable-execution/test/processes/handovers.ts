/** What any storage that processes share must do for them: wake, cancel across, hand over after a death. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { afterEach, beforeEach, expect, test } from 'vitest'

import { DurableExecutor, type DurableTaskHandle } from '../../src/index.ts'
import { type ExecutionRow } from '../../src/machine/execution.ts'
import { Crew } from './harness/crew.ts'
import { type LedgerLine, readLedger } from './harness/ledger.ts'
import { openStorage, type Place } from './harness/places.ts'
import { defineTasks, type Tasks } from './harness/tasks.ts'

const EXPIRE_MS = 1_500
const HOUR_MS = 3_600_000

// The promise is one second after the lease. On a machine whose cores are all busy, waking up takes its time too.
const TAKEOVER_MS = 1_000
const SLACK_MS = 1_500

// As many as one process can run at a time, so that whoever is left has room for all.
const LEFT = 16

const CANCELS = 9
// Without a hint a process learns of a cancel when it next asks, once a second, so half of them within 500 ms.
const CANCEL_MEDIAN_MS = 250

/** A few processes, and a client that looks at them. */
export type HandoverWorld = {
  crew: Crew
  client: DurableExecutor
  tasks: Tasks
  rows: () => Promise<Array<ExecutionRow>>
}

/** Defines the tests; gives the world that each of them lives in, for those that one storage alone must pass. */
export function testHandovers(openPlace: (folder: string) => Place | Promise<Place>): () => HandoverWorld {
  let folder: string
  let place: Place
  let storage: ReturnType<typeof openStorage>
  let world: HandoverWorld

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'durable-execution-handovers-'))
    const ledger = join(folder, 'ledger')
    writeFileSync(ledger, '')
    place = await openPlace(folder)
    storage = openStorage(place.name)
    const quiet = (): void => {}
    const client = new DurableExecutor(storage, { logger: { debug: quiet, info: quiet, error: quiet } })
    const tasks = defineTasks(client, { note: () => {}, pause: () => Promise.resolve() }, 'client')
    // Only a hint may wake a process in time; the poll alone would take an hour.
    const crew = new Crew({ place: place.name, ledger, expireMs: EXPIRE_MS, slots: LEFT, pollMs: HOUR_MS })
    world = { crew, client, tasks, rows: async () => await rowsOf(storage) }
  })

  afterEach(async () => {
    await world.crew.killAll()
    await world.client.shutdown()
    await storage.close()
    await place.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const enqueue = async (taskId: string, input: number): Promise<DurableTaskHandle<number>> =>
    await world.client.enqueueTask(world.tasks.get(taskId) ?? { id: taskId }, input)
  const lines = (what: LedgerLine['what']): Array<LedgerLine> =>
    readLedger(join(folder, 'ledger')).filter((line) => line.what === what)

  test('what another process enqueues is started by a hint, long before the next poll', async () => {
    await world.crew.start(1)
    // Once it is idle, only the hint can tell it.
    await pause(300)
    const handle = await enqueue('plain', 1)
    await handle.waitAndGetTaskFinishedExecution({ pollingIntervalMs: HOUR_MS })
    expect(lines('end').map(({ executionId }) => executionId)).toEqual([handle.getTaskExecutionId()])
  })

  test('a cancel reaches the process that runs the task by a hint', async () => {
    await world.crew.start(1)
    const delays: Array<number> = []
    for (let count = 1; count <= CANCELS; count += 1) {
      const handle = await enqueue('endless', count)
      await until(() => lines('start').length === count)
      expect(await handle.cancel()).toBe(true)
      const cancelledAt = Date.now()
      await until(() => lines('stopped').length === count)
      delays.push((lines('stopped').at(-1)?.at ?? Infinity) - cancelledAt)
    }
    const median = delays.toSorted((a, b) => a - b)[Math.floor(CANCELS / 2)]
    expect(median, `of ${delays.join(', ')} ms`).toBeLessThan(CANCEL_MEDIAN_MS)
  })

  test('what a killed process ran is claimed by another within a second after its lease', async () => {
    await world.crew.start(2)
    const handles = await Promise.all(Array.from({ length: LEFT }, (_, input) => enqueue('endless', input)))
    await until(() => lines('start').length === handles.length)
    const pid = lines('start')[0]?.pid ?? 0
    await world.crew.killForGood(pid)
    // Nobody renews these any more, so these are the deadlines of their leases.
    const left = new Map((await world.rows()).map((row) => [row.executionId, row]))
    const begun = lines('start').filter((line) => line.pid === pid)
    await until(() => lines('start').length === handles.length + begun.length)

    for (const row of (await world.rows()).filter(({ executionId }) =>
      begun.some((line) => line.executionId === executionId),
    )) {
      const lapsedAt = left.get(row.executionId)?.expiresAt?.getTime() ?? Infinity
      const claimedAt = row.startedAt?.getTime() ?? Infinity
      expect(claimedAt - lapsedAt, 'not before the lease has lapsed').toBeGreaterThanOrEqual(0)
      expect(claimedAt - lapsedAt).toBeLessThanOrEqual(TAKEOVER_MS + SLACK_MS)
    }
  })

  return () => world
}

async function rowsOf(storage: ReturnType<typeof openStorage>): Promise<Array<ExecutionRow>> {
  return await storage.withTransaction(
    async (tx) => await tx.getTaskExecutions({ type: 'by_statuses', statuses: ['running', 'completed'] }),
  )
}

export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) {
    await pause(10)
  }
}
