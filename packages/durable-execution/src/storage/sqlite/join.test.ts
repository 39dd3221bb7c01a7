/** Enqueueing in a transaction of the user's own, with both drivers. */

import { mkdtempSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import BetterSqlite3 from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { DurableExecutor } from '../../executor/executor.ts'
import { type DurableTask } from '../../task/define.ts'
import { createInMemoryStorage } from '../memory/in-memory-storage.ts'
import { createSqliteStorage, type SqliteStorage } from './index.ts'

type Handle = { exec: (sql: string) => unknown; close: () => unknown }

// One library for the storage and for the user: two copies of SQLite in one process do not see each other's locks.
const DRIVERS: Array<{ name: string; open: (path: string) => Handle }> = [
  { name: 'node:sqlite', open: (path) => new DatabaseSync(path) },
  { name: 'better-sqlite3', open: (path) => new BetterSqlite3(path) },
]

describe.each(DRIVERS)('with $name', ({ open }) => {
  let folder: string
  let own: Handle
  let user: Handle
  let storage: SqliteStorage
  let executor: DurableExecutor
  let double: DurableTask<number, number>

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'durable-execution-join-'))
    const path = join(folder, 'app.db')
    own = open(path)
    storage = createSqliteStorage({ database: own as DatabaseSync })
    await storage.migrate()
    user = open(path)
    user.exec('create table orders (id integer primary key)')
    executor = new DurableExecutor(storage, { logger: { debug: () => {}, info: () => {}, error: () => {} } })
    double = executor.task({ id: 'double', timeoutMs: 1_000, run: (_ctx, input: number) => input * 2 })
  })

  afterEach(async () => {
    await executor.shutdown()
    await storage.close()
    own.close()
    user.close()
    rmSync(folder, { recursive: true, force: true })
  })

  test('what is enqueued in a transaction that commits is there, and is run', async () => {
    await executor.start()
    user.exec('begin immediate')
    user.exec('insert into orders (id) values (1)')
    const handle = await executor.enqueueTask(double, 21, { transaction: user })
    user.exec('commit')
    const execution = await handle.waitAndGetTaskFinishedExecution()
    expect(execution).toMatchObject({ status: 'completed', output: 42 })
  })

  test('what is enqueued in a transaction that rolls back was never there', async () => {
    user.exec('begin immediate')
    const handle = await executor.enqueueTask(double, 21, { transaction: user })
    user.exec('rollback')
    await expect(handle.getTaskExecution()).rejects.toThrow(
      `Execution ${handle.getTaskExecutionId()} not found`,
    )
  })

  test('under a key it is one execution, in the transaction and after, and another input is refused', async () => {
    const key = { idempotencyKey: 'k' }
    const used = 'Idempotency key k of task double was used with another input'
    user.exec('begin immediate')
    const options = { ...key, transaction: user }
    const handles = await Promise.all([1, 2, 3].map(() => executor.enqueueTask(double, 21, options)))
    await expect(executor.enqueueTask(double, 22, options)).rejects.toThrow(used)
    const many = [1, 2, 1].map((input) => ({ input, options: { idempotencyKey: `many ${input}` } }))
    const together = await executor.enqueueTasks(double, [...many, 4], { transaction: user })
    user.exec('commit')
    handles.push(await executor.enqueueTask(double, 21, key))
    expect(new Set(handles.map((handle) => handle.getTaskExecutionId())).size).toBe(1)
    expect(new Set(together.map((handle) => handle.getTaskExecutionId())).size).toBe(3)
    user.exec('begin immediate')
    const again = await executor.enqueueTask(double, 21, options)
    await expect(executor.enqueueTask(double, 22, options)).rejects.toThrow(used)
    user.exec('commit')
    expect(again.getTaskExecutionId()).toBe(handles[0]?.getTaskExecutionId())
  })

  test('a handle without a transaction, of another database, or that is none is refused by its name', async () => {
    await expect(executor.enqueueTask(double, 1, { transaction: user })).rejects.toThrow(
      'no transaction is open on this handle',
    )
    const other = open(':memory:')
    other.exec('begin')
    await expect(executor.enqueueTask(double, 1, { transaction: other })).rejects.toThrow(
      'Use a handle on the same file',
    )
    other.exec('rollback')
    other.close()
    await expect(executor.enqueueTask(double, 1, { transaction: {} })).rejects.toThrow(
      'Invalid transaction: it must be a DatabaseSync',
    )
  })
})

test('a storage that shares no database refuses the option', async () => {
  const executor = new DurableExecutor(createInMemoryStorage())
  const noop = executor.task({ id: 'noop', timeoutMs: 1_000, run: () => 1 })
  await expect(executor.enqueueTask(noop, undefined, { transaction: {} })).rejects.toThrow(
    'Option transaction is not supported by this storage',
  )
})

test('a child cannot be given a transaction', async () => {
  const executor = new DurableExecutor(createInMemoryStorage(), {
    logger: { debug: () => {}, info: () => {}, error: () => {} },
  })
  const child = executor.task({ id: 'child', timeoutMs: 1_000, run: () => 1 })
  const parent = executor.parentTask({
    id: 'parent',
    timeoutMs: 1_000,
    runParent: () => ({
      output: 1,
      childrenTasks: [{ task: child, input: undefined, options: { transaction: {} } }],
    }),
  })
  await executor.start()
  const handle = await executor.enqueueTask(parent, undefined)
  const execution = await handle.waitAndGetTaskFinishedExecution()
  await executor.shutdown()
  expect(execution.status).toBe('failed')
  expect(execution.status === 'failed' && execution.error.message).toContain(
    'Option transaction of child task child is not possible',
  )
})
