/** Several processes on one Postgres: killed with kill -9, stopped and let go on, the server restarted under them. */

import { type ChildProcess, fork } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'

import { type PostgresServer } from '../../../../scripts/postgres/server.ts'
import { DurableExecutor, type DurableTaskExecutionStorageObject } from '../../src/index.ts'
import { ALL_STATUSES } from '../../src/machine/execution.ts'
import { checkWorld } from '../../src/machine/invariants.ts'
import { createPostgresStorage, type PostgresStorage } from '../../src/storage/postgres/index.ts'
import { CHILDREN, defineWork, type Work } from '../processes/work.ts'
import { newSchema } from './places.ts'
import { ownServer } from './server.ts'

const TREES = 40
const WORKER = join(import.meta.dirname, 'worker.ts')

let server: PostgresServer
let schema: string
let folder: string
let storage: PostgresStorage
let client: DurableExecutor
let work: Work
const workers = new Set<ChildProcess>()

beforeAll(async () => {
  server = await ownServer()
}, 120_000)

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'durable-execution-processes-'))
  writeFileSync(join(folder, 'ledger'), '')
  schema = newSchema()
  storage = createPostgresStorage({ connectionString: server.connectionString, schema })
  client = new DurableExecutor(storage, { logger: { debug: () => {}, info: () => {}, error: () => {} } })
  work = defineWork(client, { note: () => {}, pause: () => Promise.resolve() })
})

afterEach(async () => {
  await Promise.all([...workers].map((worker) => kill(worker)))
  await client.shutdown()
  await storage.close()
  rmSync(folder, { recursive: true, force: true })
})

test('workers that are killed with kill -9 again and again lose nothing and finalize each parent once', async () => {
  const executions = await enqueueTrees()
  let [first, second] = await Promise.all([startWorker(), startWorker()])
  for (let kills = 1; kills <= 3; kills += 1) {
    const soFar = readLedger().length
    await until(async () => readLedger().length >= soFar + 40 || (await areAllClosed()))
    await kill(first)
    ;[first, second] = [second, await startWorker()]
  }
  await expectAllCompleted(executions)
}, 120_000)

test('a server that crashes and comes back under its workers costs nothing but time', async () => {
  const executions = await enqueueTrees()
  await Promise.all([startWorker(), startWorker()])
  for (let crashes = 1; crashes <= 2; crashes += 1) {
    const soFar = readLedger().length
    await until(() => readLedger().length >= soFar + 60)
    await server.restart()
  }
  await expectAllCompleted(executions)
}, 120_000)

test('what another process enqueues is started by a hint, long before the next poll', async () => {
  await startWorker()
  // Once it is idle, only the hint can tell it.
  await pause(300)
  const handle = await client.enqueueTask(work.leaf, 1)
  await handle.waitAndGetTaskFinishedExecution({ pollingIntervalMs: 3_600_000 })
  expect(readLedger().map(([what]) => what)).toEqual(['start', 'end'])
})

test('a cancel reaches the process that runs the task', async () => {
  await startWorker()
  const handle = await client.enqueueTask(work.endless, undefined)
  await until(() => readLedger().length === 1)
  expect(await handle.cancel()).toBe(true)
  await until(() => readLedger().some(([what]) => what === 'stopped'))
  expect((await handle.getTaskExecution()).status).toBe('cancelled')
})

test('a process that was stopped beyond its lease and goes on does not write over its successor', async () => {
  const executions = await enqueueTrees()
  const stalled = await startWorker()
  await until(() => readLedger().length > 20)
  stalled.kill('SIGSTOP')
  await startWorker()
  await until(async () => (await readRows()).filter((row) => row.status === 'completed').length > 100)
  stalled.kill('SIGCONT')
  await expectAllCompleted(executions)
}, 120_000)

type Finished = Promise<Array<{ status: string; output?: unknown; input: number }>>

async function enqueueTrees(): Promise<{ finished: Finished }> {
  const handles = await Promise.all(
    Array.from({ length: TREES }, (_, index) => client.enqueueTask(work.tree, index)),
  )
  const finished = Promise.all(
    handles.map(async (handle, input) => {
      const execution = await waitThroughOutages(() => handle.waitAndGetTaskFinishedExecution())
      const { status } = execution
      return { status, input, output: execution.status === 'completed' ? execution.output : undefined }
    }),
  )
  return { finished }
}

// A wait rejects with the storage's error when the storage is away for longer than a user waits.
async function waitThroughOutages<T>(wait: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await wait()
    } catch (error) {
      if (tries === 20) {
        throw error
      }
    }
  }
}

async function expectAllCompleted({ finished }: { finished: Finished }): Promise<void> {
  for (const { status, output, input } of await finished) {
    expect({ status, output }).toEqual({
      status: 'completed',
      output: CHILDREN * (2 * input + CHILDREN - 1),
    })
  }
  await until(areAllClosed)
  const rows = await readRows()
  expect(rows).toHaveLength(TREES * (2 + CHILDREN))
  expect(checkWorld(rows)).toEqual([])
}

async function startWorker(): Promise<ChildProcess> {
  const worker = fork(WORKER, [server.connectionString, schema, join(folder, 'ledger')], {
    execArgv: ['--experimental-strip-types', '--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  workers.add(worker)
  await new Promise<void>((resolve, reject) => {
    worker.once('message', () => resolve())
    worker.once('exit', (code) => reject(new Error(`the worker ended with ${code} before it had started`)))
  })
  return worker
}

async function kill(worker: ChildProcess): Promise<void> {
  if (workers.delete(worker) && worker.exitCode === null) {
    const ended = new Promise((resolve) => {
      worker.once('exit', resolve)
    })
    worker.kill('SIGKILL')
    await ended
  }
}

async function areAllClosed(): Promise<boolean> {
  return (await readRows()).every((row) => row.isClosed)
}

function readLedger(): Array<Array<string>> {
  const lines = readFileSync(join(folder, 'ledger'), 'utf8').split('\n')
  return lines.filter((line) => line !== '').map((line) => line.split(' '))
}

async function readRows(): Promise<Array<DurableTaskExecutionStorageObject>> {
  return await storage.withTransaction(
    async (tx) => await tx.getTaskExecutions({ type: 'by_statuses', statuses: [...ALL_STATUSES] }),
  )
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) {
    await pause(20)
  }
}
