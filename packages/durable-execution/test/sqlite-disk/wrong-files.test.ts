/** Files that are not what they should be: each is refused with an error that says so, and is left as it was. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'

import { expect, onTestFinished, test } from 'vitest'

import { DurableExecutor, type Logger } from '../../src/index.ts'
import { createSqliteStorage, type SqliteStorage } from '../../src/storage/sqlite/index.ts'
import { closeHandle, LIBRARIES, newFolder, openHandle } from './files.ts'
import { rowsOf } from './finishing.ts'
import { defineWork, enqueue } from './work.ts'

const SILENT: Logger = { debug: () => {}, info: () => {}, error: () => {} }

function newPath(): string {
  return join(newFolder(), 'tasks.db')
}

function open(path: string): SqliteStorage {
  const storage = createSqliteStorage({ path })
  onTestFinished(async () => await storage.close())
  return storage
}

/** Enqueues one task, as a program would. */
async function enqueueOne(storage: SqliteStorage): Promise<string> {
  const executor = new DurableExecutor(storage, { logger: SILENT })
  const given = { mark: 1, ballast: '', outputLength: 10 }
  const handle = await enqueue(executor, defineWork(executor), { task: 'plain', given })
  return handle.getTaskExecutionId()
}

async function makeTasks(path: string): Promise<string> {
  const storage = createSqliteStorage({ path })
  try {
    return await enqueueOne(storage)
  } finally {
    await storage.close()
  }
}

test('an empty file becomes a database', async () => {
  const path = newPath()
  writeFileSync(path, '')
  const storage = open(path)
  const id = await enqueueOne(storage)
  expect((await rowsOf(storage)).map(({ executionId }) => executionId)).toEqual([id])
})

test.each([
  ['a short text', 'milk, bread, butter\n'],
  ['a long text', 'milk, bread, butter\n'.repeat(1_000)],
  ['a text that begins like a database', `SQLite format 3\0${'x'.repeat(5_000)}`],
])('%s is refused as no database, and stays as it is', async (_, text) => {
  const path = newPath()
  writeFileSync(path, text)
  await expect(enqueueOne(open(path))).rejects.toThrow('file is not a database')
  expect(readFileSync(path, 'utf8')).toBe(text)
})

test('a folder is refused', async () => {
  const path = newPath()
  mkdirSync(path)
  await expect(enqueueOne(open(path))).rejects.toThrow('unable to open database file')
})

test.each(LIBRARIES)('half of a database is refused as damaged (%s)', async (library) => {
  const path = newPath()
  await makeTasks(path)
  const whole = readFileSync(path)
  writeFileSync(path, whole.subarray(0, whole.length / 2))
  const storage = createSqliteStorage({ database: openHandle(library, path) })
  await expect(enqueueOne(storage)).rejects.toThrow('database disk image is malformed')
})

test('a database of somebody else gets our tables, and keeps its own', async () => {
  const path = newPath()
  const other = openHandle('node:sqlite', path)
  other.exec(
    `create table executions (id integer primary key, name text); insert into executions (name) values ('mine')`,
  )
  await enqueueOne(open(path))
  expect(other.prepare('select name from executions').all()).toMatchObject([{ name: 'mine' }])
})

test('a database whose tables of our names are somebody else’s is refused, and stays as it is', async () => {
  const path = newPath()
  const other = openHandle('node:sqlite', path)
  other.exec('create table durable_execution_executions (id integer primary key)')
  await expect(enqueueOne(open(path))).rejects.toThrow('table durable_execution_executions already exists')
  expect(other.prepare('select name from sqlite_master').all()).toMatchObject([
    { name: 'durable_execution_executions' },
  ])
})

test.each([true, false])(
  'a schema of a newer version is refused, and nothing is written (migrate: %s)',
  async (migrate) => {
    const path = newPath()
    await makeTasks(path)
    const handle = openHandle('node:sqlite', path)
    handle.exec('update durable_execution_schema set version = 1000')
    const storage = createSqliteStorage({ path, migrate })
    onTestFinished(async () => await storage.close())
    await expect(enqueueOne(storage)).rejects.toThrow(
      /schema version 1000.*update durable-execution in this program/,
    )
    expect(handle.prepare('select count(*) as rows from durable_execution_executions').get()).toMatchObject({
      rows: 1,
    })
  },
)

test.each([
  [
    'a handle of node:sqlite that may only read',
    (path: string) => new DatabaseSync(path, { readOnly: true }),
  ],
])('%s reads what is there, and refuses to write', async (_, openReadOnly) => {
  const path = newPath()
  const id = await makeTasks(path)
  const database = openReadOnly(path)
  onTestFinished(() => closeHandle(database))
  const storage = createSqliteStorage({ database })
  await expect(enqueueOne(storage)).rejects.toThrow('attempt to write a readonly database')
  expect((await rowsOf(storage)).map(({ executionId }) => executionId)).toEqual([id])
})
