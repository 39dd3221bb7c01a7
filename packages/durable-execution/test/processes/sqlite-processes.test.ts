/** Several processes on one SQLite file: killed with kill -9, stopped and let go on, woken and cancelled across. */

import { type ChildProcess, fork } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { afterEach, beforeEach, expect, test } from 'vitest'

import { DurableExecutor, type DurableTaskExecutionStorageObject } from '../../src/index.ts'
import { ALL_STATUSES } from '../../src/machine/execution.ts'
import { checkWorld } from '../../src/machine/invariants.ts'
import { createSqliteStorage, type SqliteStorage } from '../../src/storage/sqlite/index.ts'
import { CHILDREN, defineWork, type Work } from './work.ts'

const TREES = 100
const WORKER = join(import.meta.dirname, 'worker.ts')

let folder: string
let storage: SqliteStorage
let client: DurableExecutor
let work: Work
const workers = new Set<ChildProcess>()

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'durable-execution-processes-'))
  writeFileSync(join(folder, 'ledger'), '')
  storage = createSqliteStorage({ path: join(folder, 'tasks.db') })
  client = new DurableExecutor(storage, { logger: { debug: () => {}, info: () => {}, error: () => {} } })
  work = defineWork(client, { note: () => {}, pause: () => Promise.resolve() })
})

afterEach(async () => {
  await Promise.all([...workers].map((worker) => kill(worker)))
  await client.shutdown()
  await storage.close()
  rmSync(folder, { recursive: true, force: true })
})

test('workers that are killed with kill -9 again and again lose nothing, finish nothing twice and finalize each parent once', async () => {
  const handles = []
  for (let index = 0; index < TREES; index += 1) {
    handles.push(await client.enqueueTask(work.tree, index), await client.enqueueTask(work.leaf, index))
  }
  let [first, second] = await Promise.all([startWorker(), startWorker()])
  for (let kills = 1; kills <= 5; kills += 1) {
    const soFar = readLedger().length
    await until(async () => readLedger().length >= soFar + 40 || (await areAllClosed()))
    await kill(first)
    ;[first, second] = [second, await startWorker()]
  }
  const executions = await Promise.all(handles.map((handle) => handle.waitAndGetTaskFinishedExecution()))
  await until(areAllClosed)

  expect(executions.map(({ status }) => status).filter((status) => status !== 'completed')).toEqual([])
  const rows = await readRows()
  expect(rows).toHaveLength(TREES * (3 + CHILDREN))
  expect(checkWorld(rows)).toEqual([])
  for (const execution of executions) {
    if (execution.taskId === 'tree' && execution.status === 'completed') {
      const input = execution.runInput as number
      expect(execution.output).toBe(CHILDREN * (2 * input + CHILDREN - 1))
    }
  }
  const ledger = readLedger()
  for (const row of rows.filter(({ taskId }) => taskId === 'leaf')) {
    const starts = ledger.filter(([what, id]) => what === 'start' && id === row.executionId).length
    expect(
      starts,
      'every execution was started, and its last start was the one that counted',
    ).toBeGreaterThan(row.retryAttempts)
  }
}, 120_000)

test('what another process enqueues is started by a hint, long before the next poll', async () => {
  await startWorker()
  // Once it is idle, only the hint can tell it.
  await pause(200)
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
  const stalled = await startWorker()
  const handles = await Promise.all(
    Array.from({ length: 20 }, (_, index) => client.enqueueTask(work.tree, index)),
  )
  await until(() => readLedger().length > 20)
  stalled.kill('SIGSTOP')
  await startWorker()
  const executions = Promise.all(handles.map((handle) => handle.waitAndGetTaskFinishedExecution()))
  // Three leases long, and shorter than others wait for a lock: it may have been stopped while it held one.
  await pause(3_000)
  stalled.kill('SIGCONT')
  for (const { status } of await executions) {
    expect(status).toBe('completed')
  }
  await until(areAllClosed)
  expect(checkWorld(await readRows())).toEqual([])
}, 60_000)

async function startWorker(): Promise<ChildProcess> {
  const worker = fork(WORKER, [join(folder, 'tasks.db'), join(folder, 'ledger')], {
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
  const path = join(folder, 'ledger')
  const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []
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
