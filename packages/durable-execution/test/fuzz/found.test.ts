/** What generated tests have found, each in its smallest form. */

import { createDefaultSerializer, createInMemoryStorage, DurableExecutor } from 'durable-execution'
import { createPostgresStorage } from 'durable-execution/postgres'
import { createSqliteStorage } from 'durable-execution/sqlite'
import { beforeAll, expect, test } from 'vitest'

import { freshDatabase } from '../postgres/server.ts'
import { insert, rowOf } from '../postgres/rows.ts'

let connectionString = ''

beforeAll(async () => {
  connectionString = await freshDatabase()
}, 60_000)

test('on Postgres a row without a lease is not under the lease whose id is empty', async () => {
  await using storage = createPostgresStorage({ connectionString, hints: false })
  await insert(
    storage,
    rowOf('te_none', { status: 'running' }),
    rowOf('te_empty', { status: 'running', leaseId: '' }),
  )
  const now = new Date(0)
  const leases = ['te_none', 'te_empty'].map((executionId) => ({ executionId, leaseId: '' }))
  const updated = await storage.withTransaction(
    async (tx) =>
      await tx.updateTaskExecutionsBatch?.(leases.map((lease) => ({ ...lease, update: { updatedAt: now } }))),
  )
  expect(updated).toEqual(['te_empty'])
  const renewed = await storage.withTransaction(
    async (tx) => await tx.renewTaskExecutions?.({ leases, expiresAt: now, now }),
  )
  expect(renewed).toEqual([{ executionId: 'te_empty' }])
})

test.each([
  ['a list', [1]],
  ['a map', new Map([[1, 2]])],
  ['a date', new Date(0)],
  ['a boxed text', new String('text')],
])('%s with a symbol as a key is refused, since the key would be lost', (_name, value) => {
  Reflect.set(value, Symbol('key'), 1)
  expect(() => createDefaultSerializer().serialize(value)).toThrow(/^Cannot serialize/)
})

test('a boxed text with a named property is refused, since the property would be lost', () => {
  const value = Object.assign(new String('text'), { more: 1 })
  expect(() => createDefaultSerializer().serialize(value)).toThrow(/^Cannot serialize/)
})

test.each([
  '~devalue1:[["Error","text"]]',
  '~devalue1:[["Error",1],{"name":2},"x"]',
  '~devalue1:[["Error",-1]]',
])('what claims to be an error and has no message is refused: %s', (text) => {
  expect(() => createDefaultSerializer().deserialize(text)).toThrow(
    'An error was written without its message',
  )
})

test('a sequence whose first task is missing says so, and not that there are none', () => {
  const executor = new DurableExecutor(createInMemoryStorage())
  const missing = undefined as unknown as { id: string }
  expect(() => executor.sequentialTasks(missing, { id: 'task' })).toThrow('Id cannot be empty')
  expect(() => executor.sequentialTasks({ id: 'task' }, missing)).toThrow('Id cannot be empty')
})

test('a schema that cannot validate is refused where it is given, and not when something is enqueued', () => {
  const executor = new DurableExecutor(createInMemoryStorage())
  const schema = { '~standard': { version: 1, vendor: 'none' } } as never
  expect(() => executor.inputSchema(schema)).toThrow(/^Invalid input schema/)
})

test('names that a database or a file system cannot have are refused when the storage is made', () => {
  const refused = { isRetryable: false }
  expect(() => createSqliteStorage({ path: 'tasks\0.db' })).toThrow(expect.objectContaining(refused))
  expect(() => createPostgresStorage({ connectionString, schema: 'a\uD800' })).toThrow(
    expect.objectContaining(refused),
  )
})
