/** What any storage that processes share must do about a task that kills its process, and for those that run beside it. */

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, expect, test } from 'vitest'

import { DurableExecutor, type DurableTaskHandle } from '../../src/index.ts'
import { type ExecutionRow } from '../../src/machine/execution.ts'
import { ALL_STATUSES } from '../../src/machine/status.ts'
import { checkWorld } from '../../src/machine/invariants.ts'
import { openStorage, type Place, type PlaceName } from './harness/places.ts'
import { definePoisoned, type PoisonedTasks } from './poisoned-tasks.ts'

const WORKER = join(import.meta.dirname, 'poison-worker.ts')
const EXPIRE_MS = 1_000
const SLOTS = 16
const WORKERS = 2
const MAX_LOSSES = 3
const LOST = `Task lost ${MAX_LOSSES} times: each time the process that ran it died or stalled`

// Far longer than a neighbour runs: what starts beside the poison ends before it strikes.
const STRIKES_AFTER_MS = 800
const NEIGHBOUR_MS = 150
const NEIGHBOURS = 200
// Neighbours come all the time, so that some of them run whenever the poison strikes.
const NEIGHBOUR_EVERY_MS = 40

/** Defines the tests. */
export function testPoison(openPlace: (folder: string) => Place | Promise<Place>): void {
  let folder: string
  let place: Place
  let storage: ReturnType<typeof openStorage>
  let client: DurableExecutor
  let tasks: PoisonedTasks
  let crew: RestartedCrew

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'durable-execution-poison-'))
    place = await openPlace(folder)
    storage = openStorage(place.name)
    const quiet = (): void => {}
    client = new DurableExecutor(storage, { logger: { debug: quiet, info: quiet, error: quiet } })
    tasks = definePoisoned(client, { pause: () => Promise.resolve(), die: () => {} })
    crew = new RestartedCrew(place.name)
  })

  afterEach(async () => {
    await crew.stop()
    await client.shutdown()
    await storage.close()
    await place.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const rows = async (): Promise<Array<ExecutionRow>> =>
    await storage.withTransaction(
      async (tx) => await tx.getTaskExecutions({ type: 'by_statuses', statuses: [...ALL_STATUSES] }),
    )
  const statusesOf = async (
    handles: ReadonlyArray<DurableTaskHandle<string>>,
  ): Promise<Record<string, number>> => {
    const ends = await Promise.all(handles.map((handle) => handle.waitAndGetTaskFinishedExecution()))
    return countsOf(ends.map(({ status }) => status))
  }

  test('tasks that kill their process three times are failed, and all that ran beside them are completed', async () => {
    const poisons = await client.enqueueTasks(tasks.poison, [
      { afterMs: STRIKES_AFTER_MS },
      { afterMs: STRIKES_AFTER_MS + 100 },
    ])
    const neighbours = await client.enqueueTasks(
      tasks.neighbour,
      Array.from({ length: NEIGHBOURS }, (_, index) => ({
        input: { runMs: NEIGHBOUR_MS },
        options: { sleepMsBeforeRun: index * NEIGHBOUR_EVERY_MS },
      })),
    )
    crew.start(WORKERS)

    for (const poison of poisons) {
      expect(await poison.waitAndGetTaskFinishedExecution()).toMatchObject({
        status: 'failed',
        error: { message: LOST, isRetryable: false },
        retryAttempts: 0,
      })
    }
    expect(await statusesOf(neighbours)).toEqual({ completed: NEIGHBOURS })
    const after = await rows()
    expect(checkWorld(after)).toEqual([])
    expect(crew.deaths.length).toBeGreaterThanOrEqual(MAX_LOSSES)
    expect(new Set(crew.deaths)).toEqual(new Set(['SIGABRT']))
    // What was lost came back at another moment than it was first due.
    const struck = after.filter(
      (row) =>
        row.taskId === 'neighbour' &&
        row.startAt.getTime() !== row.createdAt.getTime() + row.sleepMsBeforeRun,
    )
    expect(struck.length).toBeGreaterThan(0)
  })

  // What was lost together comes back together: without keeping it apart all of it would be lost three times.
  test('what takes longer than the poison needs to strike, and runs beside it each time, is completed', async () => {
    const slow = await client.enqueueTasks(
      tasks.neighbour,
      [1, 2, 3, 4].map(() => ({ runMs: 1_500 })),
    )
    const poison = await client.enqueueTask(tasks.poison, { afterMs: 300 })
    crew.start(1)
    expect(await statusesOf([poison])).toEqual({ failed: 1 })
    expect(await statusesOf(slow)).toEqual({ completed: slow.length })
    expect(crew.deaths.length).toBe(MAX_LOSSES)
  })
}

function countsOf(statuses: ReadonlyArray<string>): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const status of statuses) {
    counts[status] = (counts[status] ?? 0) + 1
  }
  return counts
}

/** Worker processes; each that dies is replaced by another, as a supervisor does. */
class RestartedCrew {
  /** How those that died were ended. */
  readonly deaths: Array<string> = []
  readonly #place: PlaceName
  readonly #workers = new Set<ChildProcess>()
  #isOver = false

  constructor(place: PlaceName) {
    this.#place = place
  }

  start(count: number): void {
    for (let index = 0; index < count; index += 1) {
      this.#fork()
    }
  }

  async stop(): Promise<void> {
    this.#isOver = true
    const ends = [...this.#workers].map(async (worker) => {
      const ended = once(worker, 'exit')
      worker.kill('SIGKILL')
      await ended
    })
    await Promise.all(ends)
  }

  #fork(): void {
    const worker = fork(WORKER, [JSON.stringify(this.#place), String(EXPIRE_MS), String(SLOTS)], {
      execArgv: ['--experimental-strip-types', '--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    })
    this.#workers.add(worker)
    let said = ''
    worker.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    worker.once('exit', (code, signal) => {
      this.#workers.delete(worker)
      if (!this.#isOver) {
        this.deaths.push(signal ?? String(code))
        // Node tells at length where it was aborted; of any other end the reason is of interest.
        if (signal !== 'SIGABRT') {
          console.error(said)
        }
        this.#fork()
      }
    })
  }
}
