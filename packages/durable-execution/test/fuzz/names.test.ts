/** Whatever becomes a name in a database may have any characters, and is that name and nothing else. */

import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { DurableExecutor } from 'durable-execution'
import { createPostgresStorage, type PostgresStorageOptions } from 'durable-execution/postgres'
import { createSqliteStorage, type SqliteStorageOptions } from 'durable-execution/sqlite'
import * as fc from 'fast-check'
import { Client } from 'pg'
import { afterAll, beforeAll, describe } from 'vitest'

import { type DurableStorage } from '../../src/storage/contract.ts'
import { testProperty } from '../equivalence/runs.ts'
import { text } from '../equivalence/values.ts'
import { freshDatabase } from '../postgres/server.ts'
import { errorOf, faultOf, isCount, isNothing, oddValue } from './values.ts'

const PIECES = [
  'a',
  'B',
  '"',
  "'",
  '`',
  ';',
  '--',
  '/*',
  '\\',
  '$1',
  '$$',
  '?',
  '%',
  ':a',
  '@b',
  '.',
  ' ',
  '\n',
  '\t',
  '(',
  ')',
  ',',
  'é',
  '好',
  '😀',
  '\u0301',
  '\u001F',
  'drop schema public cascade',
  'select',
  '#',
  '&',
  '=',
  '+',
  '~',
  '\uFEFF',
  '\uD800',
]

const hostileName = fc
  .array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 8 })
  .map((pieces) => pieces.join(''))

const quiet = { debug: () => {}, info: () => {}, error: () => {} }

/** What an executor writes there, another one on the same storage finds. */
async function assertKept(storage: DurableStorage, other: DurableStorage): Promise<void> {
  const executors = [storage, other].map((one) => new DurableExecutor(one, { logger: quiet }))
  const tasks = executors.map((executor) => executor.task({ id: 'task', timeoutMs: 1_000, run: () => 1 }))
  const [writer, reader] = executors
  const [task, sameTask] = tasks
  assert.ok(writer && reader && task && sameTask)
  const handle = await writer.enqueueTask(task, 1)
  const found = await reader.getTaskHandle(sameTask, handle.getTaskExecutionId())
  assert.equal((await found.getTaskExecution()).status, 'ready')
}

describe('SQLite', () => {
  let folder = ''

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'durable-execution-'))
  })

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true })
  })

  // A file has no slash in its name, and Linux no lone surrogates.
  const fileName = hostileName
    .map((name) => name.toWellFormed().replaceAll('/', '|'))
    .filter((name) => !['.', '..'].includes(name))

  testProperty(
    'keeps its rows in the file of that name',
    fc.asyncProperty(fileName, async (name) => {
      const path = join(folder, name)
      const [storage, other] = [createSqliteStorage({ path }), createSqliteStorage({ path })]
      await assertKept(storage, other)
      const files = await readdir(folder)
      await Promise.all([storage.close(), other.close()])
      assert.deepEqual(new Set(files), new Set([name, `${name}-shm`, `${name}-wal`]))
      await Promise.all((await readdir(folder)).map(async (file) => await rm(join(folder, file))))
    }),
    40,
  )

  testProperty(
    'takes the options that are documented, and refuses others by name',
    fc.asyncProperty(
      fc.dictionary(
        fc.constantFrom('path', 'database', 'synchronous', 'migrate'),
        fc.oneof(oddValue, text, fc.constantFrom('FULL', ':memory:')),
      ),
      async (options) => {
        const error = await errorOf(() => createSqliteStorage(options as SqliteStorageOptions))
        const { path, database, synchronous, migrate } = options
        const isFine =
          typeof path === 'string' &&
          !path.includes('\0') &&
          isNothing(database) &&
          (isNothing(synchronous) || synchronous === 'FULL') &&
          (isNothing(migrate) || typeof migrate === 'boolean')
        assert.ok(isFine || error !== undefined, 'taken')
        assert.equal(
          error === undefined ? undefined : faultOf(error.thrown, /path|database|synchronous|migrate|folder/),
          undefined,
        )
      },
    ),
    1_000,
  )
})

describe('Postgres', () => {
  let connectionString = ''
  let client: Client

  beforeAll(async () => {
    connectionString = await freshDatabase()
    client = new Client({ connectionString })
    await client.connect()
  }, 60_000)

  afterAll(async () => {
    await client.end()
  })

  const schemaName = hostileName.filter((name) => name.isWellFormed() && Buffer.byteLength(name) <= 50)

  testProperty(
    'keeps its rows in the schema of that name, and tells of them by a channel of that name',
    fc.asyncProperty(schemaName, async (schema) => {
      const options = { connectionString, schema, maxConnections: 2 }
      const [storage, other] = [createPostgresStorage(options), createPostgresStorage(options)]
      try {
        const told = Promise.withResolvers<unknown>()
        const stop = await other.onChange?.(told.resolve)
        await assertKept(storage, other)
        await storage.notifyChange?.({ ready: true })
        assert.ok(await told.promise)
        await stop?.()
        const { rows } = await client.query<{ nspname: string }>(
          `select nspname from pg_namespace where nspname !~ '^(pg_|information_schema$|public$)'`,
        )
        assert.deepEqual(
          rows.map((row) => row.nspname),
          [schema],
        )
        await client.query(`drop schema ${client.escapeIdentifier(schema)} cascade`)
      } finally {
        await Promise.all([storage.close(), other.close()])
      }
    }),
    24,
  )

  testProperty(
    'takes the options that are documented, and refuses others by name',
    fc.asyncProperty(
      fc.dictionary(
        fc.constantFrom(
          'connectionString',
          'pool',
          'schema',
          'migrate',
          'hints',
          'statementTimeoutMs',
          'maxConnections',
          'listenConnectionString',
        ),
        fc.oneof(oddValue, text),
      ),
      async (options) => {
        const error = await errorOf(() => createPostgresStorage(options as unknown as PostgresStorageOptions))
        const areTexts = ['connectionString', 'listenConnectionString'].every(
          (name) => isNothing(options[name]) || (typeof options[name] === 'string' && options[name] !== ''),
        )
        const areFlags = ['migrate', 'hints'].every(
          (name) => isNothing(options[name]) || typeof options[name] === 'boolean',
        )
        const areCounts = ['statementTimeoutMs', 'maxConnections'].every(
          (name) => isNothing(options[name]) || isCount(options[name], 1),
        )
        const { schema, pool, connectionString: at } = options
        const isSchema =
          isNothing(schema) ||
          (typeof schema === 'string' &&
            schema !== '' &&
            schema.isWellFormed() &&
            !schema.includes('\0') &&
            Buffer.byteLength(schema) <= 50)
        const isFine = areTexts && areFlags && areCounts && isSchema && isNothing(pool) && !isNothing(at)
        const areInRange = ['statementTimeoutMs', 'maxConnections'].every(
          (name) => typeof options[name] !== 'number' || options[name] <= 10_000,
        )
        assert.ok(isFine ? error === undefined || !areInRange : error !== undefined, String(error?.thrown))
        assert.equal(
          error === undefined
            ? undefined
            : faultOf(error.thrown, /Invalid options of the Postgres storage: .*`\w+`/),
          undefined,
        )
      },
    ),
    1_000,
  )

  describe('and SQLite', () => {
    const stores: Array<DurableStorage & { close: () => Promise<void> }> = []

    beforeAll(() => {
      stores.push(
        createSqliteStorage({ path: ':memory:' }),
        createPostgresStorage({ connectionString, schema: 'public', hints: false }),
      )
    })

    afterAll(async () => {
      await Promise.all(stores.map(async (store) => await store.close()))
    })

    testProperty(
      'know no execution of any other name, and say so',
      fc.asyncProperty(fc.oneof(text, hostileName), async (executionId) => {
        for (const store of stores) {
          const executor = new DurableExecutor(store, { logger: quiet })
          const task = executor.task({ id: 'task', timeoutMs: 1_000, run: () => 1 })
          const error = await errorOf(async () => await executor.getTaskHandle(task, executionId))
          assert.ok(error)
          assert.equal((error.thrown as Error).message, `Execution ${executionId} not found`)
        }
      }),
      300,
    )
  })
})
