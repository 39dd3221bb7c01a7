/** Locks that others hold are waited for, and not for ever. */

import { mkdtempSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import Better from 'better-sqlite3'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'

import { createSqliteStorage, type SqliteStorage } from './index.ts'

afterEach(() => {
  vi.useRealTimers()
})

const IN_TIME_MS = 9_000
const TOO_LATE_MS = 11_000

const where = { type: 'by_statuses' as const, statuses: ['ready' as const] }

describe.each(['node:sqlite', 'better-sqlite3'])('with %s', (library) => {
  const open = async (): Promise<{
    storage: SqliteStorage
    own: DatabaseSync | Better.Database
    other: DatabaseSync | Better.Database
  }> => {
    const folder = mkdtempSync(join(tmpdir(), 'durable-execution-'))
    const path = join(folder, 'tasks.db')
    // Both of one library: two copies of SQLite in one process do not see each other's locks.
    const [own, other] =
      library === 'node:sqlite'
        ? [new DatabaseSync(path), new DatabaseSync(path)]
        : [new Better(path, { timeout: 1 }), new Better(path, { timeout: 1 })]
    onTestFinished(() => {
      own.close()
      other.close()
      rmSync(folder, { recursive: true })
    })
    const storage = createSqliteStorage({ database: own })
    await storage.migrate()
    vi.useFakeTimers()
    return { storage, own, other }
  }

  test('a lock of another connection is waited for', async () => {
    const { storage, other } = await open()
    other.exec('begin immediate')
    const waiting = storage.withTransaction(async () => 'done')
    await vi.advanceTimersByTimeAsync(IN_TIME_MS)
    other.exec('commit')
    await vi.advanceTimersByTimeAsync(100)
    expect(await waiting).toBe('done')
  })

  test('a lock that stays is told with the error of the driver', async () => {
    const { storage, other } = await open()
    other.exec('begin immediate')
    const waiting = expect(storage.withTransaction(async () => 'done')).rejects.toThrow('database is locked')
    await vi.advanceTimersByTimeAsync(TOO_LATE_MS)
    await waiting
  })

  test('one call that writes waits too', async () => {
    const { storage, other } = await open()
    other.exec('begin immediate')
    const waiting = storage.withTransaction(
      async (tx) => await tx.updateTaskExecutions(where, { updatedAt: new Date(0) }),
      { oneCall: true },
    )
    await vi.advanceTimersByTimeAsync(IN_TIME_MS)
    other.exec('commit')
    await vi.advanceTimersByTimeAsync(100)
    expect(await waiting).toEqual([])
  })

  test('one call that reads does not wait for those who write', async () => {
    const { storage, other } = await open()
    other.exec('begin immediate')
    const read = await storage.withTransaction(async (tx) => await tx.getTaskExecutionIds(where), {
      oneCall: true,
    })
    expect(read).toEqual([])
  })

  test('a transaction of the user on the same handle is waited for', async () => {
    const { storage, own } = await open()
    own.exec('begin; create table mine (a)')
    const waiting = storage.withTransaction(async () => 'done')
    await vi.advanceTimersByTimeAsync(IN_TIME_MS)
    own.exec('rollback')
    await vi.advanceTimersByTimeAsync(100)
    expect(await waiting).toBe('done')
  })

  test('a transaction of the user that stays is told, and left alone', async () => {
    const { storage, own } = await open()
    own.exec('begin; create table mine (a)')
    const read = storage.withTransaction(async (tx) => await tx.getTaskExecutionIds(where), { oneCall: true })
    const waiting = expect(read).rejects.toThrow('in a transaction that was begun elsewhere')
    await vi.advanceTimersByTimeAsync(TOO_LATE_MS)
    await waiting
    own.exec('commit')
    expect(own.prepare('select count(*) as n from mine').get()).toMatchObject({ n: 0 })
  })

  test('two storages share one handle', async () => {
    const { storage, own } = await open()
    vi.useRealTimers()
    const second = createSqliteStorage({ database: own })
    const both = [storage, second].map(
      async (one) => await one.withTransaction(async (tx) => await tx.getTaskExecutionIds(where)),
    )
    expect(await Promise.all(both)).toEqual([[], []])
  })
})
