/** Commits of other connections are noticed. */

import { mkdtempSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, expect, onTestFinished, test, vi } from 'vitest'

import { createDurableTaskExecutionStorageObject } from '../../machine/execution.ts'
import { createSqliteStorage, type SqliteStorage } from './index.ts'

afterEach(() => {
  vi.useRealTimers()
})

const LOOK_MS = 30

async function open(): Promise<{ mine: SqliteStorage; other: SqliteStorage; database: DatabaseSync }> {
  const folder = mkdtempSync(join(tmpdir(), 'durable-execution-'))
  const path = join(folder, 'tasks.db')
  const database = new DatabaseSync(path)
  const mine = createSqliteStorage({ database })
  const other = createSqliteStorage({ path })
  onTestFinished(async () => {
    await Promise.all([mine.close(), other.close()])
    if (database.isOpen) {
      database.close()
    }
    rmSync(folder, { recursive: true })
  })
  await mine.migrate()
  await other.migrate()
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
  return { mine, other, database }
}

let drawn = 0
async function insertOne(storage: SqliteStorage): Promise<void> {
  drawn += 1
  const row = createDurableTaskExecutionStorageObject({
    now: new Date(0),
    taskId: 'task',
    executionId: `te_${drawn}`,
    retryOptions: { maxAttempts: 0 },
    sleepMsBeforeRun: 0,
    timeoutMs: 1,
    runInput: '',
  })
  await storage.withTransaction(async (tx) => await tx.insertTaskExecutions([row]))
}

test('a commit of another connection calls every listener', async () => {
  const { mine, other } = await open()
  const heard: Array<string> = []
  await mine.onChange?.((hint) => heard.push(`first ${String(hint.ready)}`))
  await mine.onChange?.(() => heard.push('second'))
  await insertOne(other)
  await vi.advanceTimersByTimeAsync(LOOK_MS)
  expect(heard).toEqual(['first true', 'second'])
})

test('one commit is told once', async () => {
  const { mine, other } = await open()
  const listener = vi.fn()
  await mine.onChange?.(listener)
  await insertOne(other)
  await vi.advanceTimersByTimeAsync(10 * LOOK_MS)
  expect(listener).toHaveBeenCalledTimes(1)
})

test('a commit of its own calls nobody', async () => {
  const { mine } = await open()
  const listener = vi.fn()
  await mine.onChange?.(listener)
  await insertOne(mine)
  await vi.advanceTimersByTimeAsync(LOOK_MS)
  expect(listener).not.toHaveBeenCalled()
})

test('a commit while a transaction of its own is open is told after it', async () => {
  const { mine, other } = await open()
  const listener = vi.fn()
  await mine.onChange?.(listener)
  await insertOne(other)
  await mine.withTransaction(async () => await vi.advanceTimersByTimeAsync(LOOK_MS))
  await vi.advanceTimersByTimeAsync(LOOK_MS)
  expect(listener).toHaveBeenCalledTimes(1)
})

test('a listener that throws keeps none of the others from hearing', async () => {
  const { mine, other } = await open()
  const listener = vi.fn()
  await mine.onChange?.(() => {
    throw new Error('no')
  })
  await mine.onChange?.(listener)
  await insertOne(other)
  await vi.advanceTimersByTimeAsync(LOOK_MS)
  expect(listener).toHaveBeenCalledTimes(1)
})

test('a look that fails goes unnoticed', async () => {
  const { mine, database } = await open()
  const listener = vi.fn()
  await mine.onChange?.(listener)
  database.close()
  await vi.advanceTimersByTimeAsync(LOOK_MS)
  expect(listener).not.toHaveBeenCalled()
})

test('there is no timer once nobody listens', async () => {
  const { mine } = await open()
  const stopFirst = await mine.onChange?.(() => {})
  const stopSecond = await mine.onChange?.(() => {})
  await stopFirst?.()
  const counts = [vi.getTimerCount()]
  await stopSecond?.()
  expect([...counts, vi.getTimerCount()]).toEqual([1, 0])
})

test('stopping twice does not stop the others', async () => {
  const { mine, other } = await open()
  const listener = vi.fn()
  const stop = await mine.onChange?.(listener)
  await mine.onChange?.(listener)
  await stop?.()
  await stop?.()
  await insertOne(other)
  await vi.advanceTimersByTimeAsync(LOOK_MS)
  expect(listener).toHaveBeenCalledTimes(1)
})

test('there is no timer once the storage is closed', async () => {
  const { mine } = await open()
  await mine.onChange?.(() => {})
  await mine.close()
  expect(vi.getTimerCount()).toBe(0)
})

test('rows that are only in memory need no timer', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
  await using storage = createSqliteStorage({ path: ':memory:' })
  await storage.onChange?.(() => {})
  expect(vi.getTimerCount()).toBe(0)
})
