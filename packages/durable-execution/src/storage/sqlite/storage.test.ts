/** Opening, closing, and handles of the user's own. */

import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import Better from 'better-sqlite3'
import { expect, onTestFinished, test } from 'vitest'

import { DurableExecutionError } from '../../base/errors.ts'
import { createDurableTaskExecutionStorageObject } from '../../machine/execution.ts'
import { createSqliteStorage, type SqliteStorage, type SqliteStorageOptions } from './index.ts'

function newPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'durable-execution-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return join(folder, 'tasks.db')
}

const ROW = createDurableTaskExecutionStorageObject({
  now: new Date(0),
  taskId: 'task',
  executionId: 'te_1',
  retryOptions: { maxAttempts: 0 },
  sleepMsBeforeRun: 0,
  timeoutMs: 1,
  runInput: '',
})

const insertRow = async (storage: SqliteStorage): Promise<void> =>
  await storage.withTransaction(async (tx) => await tx.insertTaskExecutions([ROW]))

const readIds = async (storage: SqliteStorage): Promise<Array<string>> =>
  await storage.withTransaction(
    async (tx) => await tx.getTaskExecutionIds({ type: 'by_execution_ids', executionIds: ['te_1'] }),
  )

const listen = async (storage: SqliteStorage): Promise<unknown> => await storage.onChange?.(() => {})

test('what was written is there when the file is opened again', async () => {
  const path = newPath()
  await using first = createSqliteStorage({ path })
  await insertRow(first)
  await first.close()
  await using second = createSqliteStorage({ path })
  expect(await readIds(second)).toEqual(['te_1'])
})

test('a file is not touched before the first use', async () => {
  const path = newPath()
  await using storage = createSqliteStorage({ path })
  expect([existsSync(path), await readIds(storage), existsSync(path)]).toEqual([false, [], true])
})

test.each([
  ['nothing', undefined, 'give either `path` or `database`'],
  ['neither path nor database', {}, 'give either `path` or `database`'],
  ['both', { path: 'x.db', database: new DatabaseSync(':memory:') }, 'give either `path` or `database`'],
  ['an empty path', { path: '' }, '`path` must be the name of a file'],
  ['a path that is none', { path: 7 }, '`path` must be the name of a file'],
  ['a folder that does not exist', { path: '/nowhere/tasks.db' }, 'the folder /nowhere does not exist'],
  ['a database that is none', { database: {} }, '`database` must be a DatabaseSync'],
  ['a pool', { database: { exec() {}, prepare() {}, close() {} } }, '`database` must be a DatabaseSync'],
  ['an unknown way to synchronize', { path: ':memory:', synchronous: 'OFF' }, '`synchronous` must be'],
  ['no answer whether to migrate', { path: ':memory:', migrate: 'yes' }, '`migrate` must be true or false'],
])('%s is refused', (_, options, message) => {
  const create = (): unknown => createSqliteStorage(options as unknown as SqliteStorageOptions)
  expect(create).toThrow(DurableExecutionError)
  expect(create).toThrow(message)
})

test('a file that is no database is told with the error of the driver', async () => {
  await using storage = createSqliteStorage({ path: tmpdir() })
  await expect(readIds(storage)).rejects.toThrow('unable to open database file')
})

test('closing twice is fine', async () => {
  const storage = createSqliteStorage({ path: newPath() })
  await insertRow(storage)
  await Promise.all([storage.close(), storage.close()])
  await expect(storage.close()).resolves.toBeUndefined()
})

test('closing waits for the transactions that were asked for', async () => {
  const storage = createSqliteStorage({ path: newPath() })
  const asked = [insertRow(storage), readIds(storage)]
  await storage.close()
  expect(await Promise.all(asked)).toEqual([undefined, ['te_1']])
})

test('a closed storage refuses everything else', async () => {
  const storage = createSqliteStorage({ path: newPath() })
  await storage.close()
  const calls = [readIds(storage), storage.migrate(), listen(storage)]
  const outcomes = await Promise.allSettled(calls)
  expect(outcomes.map((one) => (one.status === 'rejected' ? String(one.reason) : one.status))).toEqual(
    Array(3).fill('DurableExecutionError: The SQLite storage is closed'),
  )
})

test('closing leaves a handle of the user open', async () => {
  const database = new DatabaseSync(':memory:')
  const storage = createSqliteStorage({ database })
  await insertRow(storage)
  await storage.close()
  expect(database.isOpen).toBe(true)
})

test('without migrating, a database without tables is refused until `migrate` is called', async () => {
  await using storage = createSqliteStorage({ path: newPath(), migrate: false })
  await expect(readIds(storage)).rejects.toThrow('The database has no tables of durable-execution')
  await storage.migrate()
  expect(await readIds(storage)).toEqual([])
})

test.each([true, false])('a schema that is newer is refused (migrate: %s)', async (migrate) => {
  const database = new DatabaseSync(':memory:')
  await createSqliteStorage({ database }).migrate()
  database.exec('update durable_execution_schema set version = 1000')
  await expect(readIds(createSqliteStorage({ database, migrate }))).rejects.toThrow(
    'The database has schema version 1000',
  )
})

test('a migration that fails leaves nothing, and is tried again by the next transaction', async () => {
  const database = new DatabaseSync(':memory:')
  database.exec('create table mine (a); create index durable_execution_below on mine (a)')
  const storage = createSqliteStorage({ database })
  await expect(readIds(storage)).rejects.toThrow('already exists')
  database.exec('drop index durable_execution_below')
  expect(await readIds(storage)).toEqual([])
})

test('every table and index has a name of ours', async () => {
  const database = new DatabaseSync(':memory:')
  await createSqliteStorage({ database }).migrate()
  const names = database.prepare('select name from sqlite_master').all()
  expect(names.filter(({ name }) => !String(name).startsWith('durable_execution_'))).toEqual([])
})

test.each([
  ['node:sqlite', (path: string) => new DatabaseSync(path, { readBigInts: true })],
  ['better-sqlite3', (path: string) => new Better(path).defaultSafeIntegers(true)],
])('a handle of %s may read bigints, and is made durable', async (_, openDatabase) => {
  const database = openDatabase(newPath())
  onTestFinished(() => {
    database.close()
  })
  const storage = createSqliteStorage({ database })
  await insertRow(storage)
  const read = await storage.withTransaction(
    async (tx) => await tx.getTaskExecutions({ type: 'by_execution_ids', executionIds: ['te_1'] }),
  )
  expect([read, pragmaOf(database, 'journal_mode'), pragmaOf(database, 'synchronous')]).toEqual([
    [ROW],
    'wal',
    '2',
  ])
})

function pragmaOf(database: DatabaseSync | Better.Database, name: string): string {
  const found = database.prepare(`pragma ${name}`).get() as Record<string, unknown>
  return String(found[name])
}

test('a program may ask for less durability', async () => {
  const database = new DatabaseSync(newPath())
  onTestFinished(() => database.close())
  await createSqliteStorage({ database, synchronous: 'NORMAL' }).migrate()
  expect(pragmaOf(database, 'synchronous')).toBe('1')
})
