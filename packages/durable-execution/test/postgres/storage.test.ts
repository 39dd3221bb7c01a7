/** What is special about the Postgres storage: options, migrations, single calls, settings, closing. */

import { fork } from 'node:child_process'
import { join } from 'node:path'

import * as fc from 'fast-check'
import { Client, Pool } from 'pg'
import { beforeAll, expect, onTestFinished, test } from 'vitest'

import { type DurableStorageTx } from '../../src/storage/contract.ts'
import {
  createPostgresStorage,
  POSTGRES_SESSION_OPTIONS,
  type PostgresPool,
  type PostgresStorage,
  type PostgresStorageOptions,
} from '../../src/storage/postgres/index.ts'
import { schemaText } from '../../src/storage/postgres/schema.ts'
import { newSchema } from './places.ts'
import { AT, insert, readyIds, rowOf, touch } from './rows.ts'
import { freshDatabase } from './server.ts'
import { spiedOn } from './spied-pool.ts'

let connectionString: string

beforeAll(async () => {
  connectionString = await freshDatabase()
}, 60_000)

function open(options: Partial<PostgresStorageOptions> = {}): PostgresStorage {
  const source = options.pool === undefined ? { connectionString } : {}
  const storage = createPostgresStorage({
    schema: newSchema(),
    hints: false,
    ...source,
    ...options,
  } as PostgresStorageOptions)
  onTestFinished(() => storage.close())
  return storage
}

function openPool(options?: string): Pool {
  const pool = new Pool({ connectionString, ...(options === undefined ? {} : { options }) })
  onTestFinished(() => pool.end())
  return pool
}

/** A pool that notes the first word of each statement. */
function wordsOf(pool: Pool): { pool: PostgresPool; sent: Array<string> } {
  const sent: Array<string> = []
  return { pool: spiedOn(pool, ({ text }) => sent.push(text.split(/\s/)[0] ?? '')), sent }
}

const CALLS: Array<[name: string, calls: number, call: (tx: DurableStorageTx) => unknown]> = [
  ['insert', 1, (tx) => tx.insertTaskExecutions([rowOf('te_1'), rowOf('te_2')])],
  ['insert if missing', 1, (tx) => tx.insertTaskExecutionsIfMissing?.([rowOf('te_2'), rowOf('te_3')])],
  ['get', 1, (tx) => tx.getTaskExecutions({ type: 'by_statuses', statuses: ['ready'] })],
  // What only says that a row waits for its children is true whatever claims say.
  [
    'update',
    1,
    (tx) =>
      tx.updateTaskExecutions(
        { type: 'by_execution_ids', executionIds: ['te_1'], statuses: ['waiting_for_children_tasks'] },
        { updatedAt: AT },
      ),
  ],
  [
    'claim',
    1,
    (tx) =>
      tx.claimTaskExecutions?.({
        taskIds: ['task'],
        excludedExecutionIds: [],
        limit: 9,
        now: AT,
        expiresAt: AT,
        leaseId: 'lease',
        executorId: 'executor',
      }),
  ],
  // A row that a claim names is made to say so itself before.
  [
    'renew',
    2,
    (tx) =>
      tx.renewTaskExecutions?.({
        leases: [{ executionId: 'te_1', leaseId: 'lease' }],
        expiresAt: AT,
        now: AT,
      }),
  ],
  [
    'batch of one shape',
    1,
    (tx) =>
      tx.updateTaskExecutionsBatch?.(
        ['te_1', 'te_2'].map((executionId) => ({
          executionId,
          statuses: ['running'],
          leaseId: 'lease',
          update: { output: executionId, updatedAt: AT },
        })),
      ),
  ],
  ['lock', 1, (tx) => tx.lockTaskExecutions?.(['te_1', 'te_2'], { isLean: true })],
  ['fields', 1, (tx) => tx.getTaskExecutionFields?.(['te_1', 'te_2'], ['output'])],
  ['below', 1, (tx) => tx.getTaskExecutionIdsBelow?.('te_1', 9)],
  ['nothing at all', 0, () => undefined],
]

test('a single call of each member is one statement, without a transaction around it', async () => {
  const { pool, sent } = wordsOf(openPool(POSTGRES_SESSION_OPTIONS))
  const storage = open({ pool })
  await readyIds(storage)
  for (const [name, calls, call] of CALLS) {
    sent.length = 0
    await storage.withTransaction(async (tx) => await call(tx), { oneCall: true })
    expect([name, sent.length, sent.includes('begin')]).toEqual([name, calls, false])
  }
})

test('a single call that fails, and that nobody awaited, fails the transaction', async () => {
  const storage = open()
  await insert(storage, rowOf('te_1'))
  const unheard = storage.withTransaction(
    async (tx) => {
      void tx.insertTaskExecutions([rowOf('te_1')])
      return await Promise.resolve('went on')
    },
    { oneCall: true },
  )
  await expect(unheard).rejects.toThrow('Task execution te_1 already exists')
})

test('on a pool without the settings of the plans a single call makes them for itself', async () => {
  const { pool, sent } = wordsOf(openPool())
  const storage = open({ pool })
  await readyIds(storage)
  sent.length = 0
  await storage.withTransaction(async (tx) => await touch(tx, 'te_1'), { oneCall: true })
  expect(sent).toEqual(['begin', 'select', 'update', 'commit'])
})

test('nothing of the settings is left on a connection of the user', async () => {
  const pool = openPool()
  const storage = open({ pool })
  await insert(storage, rowOf('te_1'))
  const { rows } = await pool.query('show enable_seqscan')
  expect(rows).toEqual([{ enable_seqscan: 'on' }])
})

test('a batch of two shapes, single though it is, is kept whole or not at all', async () => {
  const storage = open()
  await insert(storage, rowOf('te_1'), rowOf('te_2'))
  await expect(
    storage.withTransaction(
      async (tx) =>
        await tx.updateTaskExecutionsBatch?.([
          { executionId: 'te_1', update: { status: 'running', updatedAt: AT } },
          // No whole number, which the column refuses.
          { executionId: 'te_2', update: { retryAttempts: 0.5, updatedAt: AT } },
        ]),
      { oneCall: true },
    ),
  ).rejects.toThrow('bigint')
  expect(await readyIds(storage)).toEqual(['te_1', 'te_2'])
})

test('single calls that meet under serializable isolation are repeated until all are through', async () => {
  const pool = openPool(`${POSTGRES_SESSION_OPTIONS} -c default_transaction_isolation=serializable`)
  const storage = open({ pool })
  await insert(storage, rowOf('te_1'))
  const touches = Array.from({ length: 20 }, () =>
    storage.withTransaction(async (tx) => await touch(tx, 'te_1'), { oneCall: true }),
  )
  expect(await Promise.all(touches)).toEqual(touches.map(() => ['te_1']))
})

test('a second call under the hint of one call is refused', async () => {
  const storage = open()
  const calls = storage.withTransaction(
    async (tx) => {
      await touch(tx, 'te_1')
      await touch(tx, 'te_1')
    },
    { oneCall: true },
  )
  await expect(calls).rejects.toThrow('makes one call only')
})

test.each([true, false])('a transaction that has ended cannot be used (one call: %s)', async (oneCall) => {
  const storage = open()
  let kept: DurableStorageTx | undefined
  await storage.withTransaction(
    (tx) => {
      kept = tx
      return Promise.resolve()
    },
    { oneCall },
  )
  await expect(kept?.getTaskExecutionIds({ type: 'by_statuses', statuses: ['ready'] })).rejects.toThrow(
    'has ended',
  )
})

test('a transaction whose failure was swallowed is not committed', async () => {
  const storage = open()
  await insert(storage, rowOf('te_1'))
  const swallowing = storage.withTransaction(async (tx) => {
    await tx.insertTaskExecutions([rowOf('te_2')])
    await Promise.allSettled([tx.insertTaskExecutions([rowOf('te_1')])])
  })
  await expect(swallowing).rejects.toThrow('Task execution te_1 already exists')
  expect(await readyIds(storage)).toEqual(['te_1'])
})

test('a transaction goes on after a value was refused before it was sent', async () => {
  const storage = open()
  await storage.withTransaction(async (tx) => {
    await expect(tx.insertTaskExecutions([rowOf('te_1', { startAt: new Date(NaN) })])).rejects.toThrow(
      'no finite number',
    )
    await tx.insertTaskExecutions([rowOf('te_2')])
  })
  expect(await readyIds(storage)).toEqual(['te_2'])
})

test('calls that nobody awaits are part of the transaction', async () => {
  const storage = open()
  await storage.withTransaction((tx) => {
    void tx.insertTaskExecutions([rowOf('te_1')])
    void tx.insertTaskExecutions([rowOf('te_2')])
    return Promise.resolve()
  })
  expect(await readyIds(storage)).toEqual(['te_1', 'te_2'])
})

const anyText = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.constantFrom(0, 0x1b, 0x1e, 0x1f)))
  .map((units) => String.fromCharCode(...units))

test('any texts come back the same, alone and among others', async () => {
  const storage = open()
  let count = 0
  await fc.assert(
    fc.asyncProperty(fc.array(anyText, { minLength: 1, maxLength: 4 }), async (texts) => {
      const rows = texts.map((text) => rowOf(`te_${(count += 1)}_${text}`, { runInput: text, taskId: text }))
      await insert(storage, ...rows)
      const executionIds = rows.map(({ executionId }) => executionId)
      await storage.withTransaction(
        async (tx) =>
          await tx.updateTaskExecutionsBatch?.(
            rows.map(({ executionId }, index) => ({
              executionId,
              update: { output: texts[index] ?? '', leaseId: texts[0] ?? '', updatedAt: AT },
            })),
          ),
      )
      const found = await storage.withTransaction(
        async (tx) => await tx.getTaskExecutions({ type: 'by_execution_ids', executionIds }),
      )
      expect(found).toEqual(rows.map((row) => ({ ...row, output: row.runInput, leaseId: texts[0] })))
    }),
    { numRuns: 60 },
  )
})

test('the time is that of the server', async () => {
  const storage = open()
  const client = new Client({ connectionString })
  await client.connect()
  onTestFinished(() => client.end())
  const now = async (): Promise<number> => {
    const { rows } = await client.query<{ now: Date }>('select clock_timestamp() as now')
    return rows[0]?.now.getTime() ?? NaN
  }
  const before = await now()
  const time = (await storage.getCurrentTime()).getTime()
  expect(time).toBeGreaterThanOrEqual(before)
  expect(time).toBeLessThanOrEqual(await now())
})

test('twenty processes that migrate at once all find the tables there', async () => {
  const schema = newSchema()
  const exits = Array.from({ length: 20 }, async () => {
    const child = fork(join(import.meta.dirname, 'migrating.ts'), [connectionString, schema], {
      execArgv: ['--experimental-strip-types', '--disable-warning=ExperimentalWarning'],
    })
    return await new Promise((resolve) => child.once('exit', resolve))
  })
  expect(await Promise.all(exits)).toEqual(exits.map(() => 0))
  expect(await readyIds(open({ schema, migrate: false }))).toHaveLength(20)
}, 120_000)

test('a storage that does not migrate says that the tables are missing, and goes on once they are there', async () => {
  const schema = newSchema()
  const storage = open({ schema, migrate: false })
  await expect(readyIds(storage)).rejects.toThrow('has no tables of durable-execution')
  await open({ schema }).migrate()
  expect(await readyIds(storage)).toEqual([])
})

test('what changes stays on its page, since pages are left with room', async () => {
  const schema = newSchema()
  const storage = open({ schema })
  const ids = Array.from({ length: 1_000 }, (_, index) => `te_${String(index).padStart(4, '0')}`)
  await insert(storage, ...ids.map((id) => rowOf(id)))
  const pool = openPool()
  const pages = async (): Promise<Map<string, number>> => {
    const { rows } = await pool.query<{ id: string; page: number }>(
      `select execution_id as id, (ctid::text::point)[0]::int as page from ${schema}.execution_rows`,
    )
    return new Map(rows.map(({ id, page }) => [id, page]))
  }
  const before = await pages()
  // One of a page: whatever is written at a full one goes to the end of the table.
  const first = new Map([...before].map(([id, page]) => [page, id]))
  expect(first.size).toBeGreaterThan(10)
  for (const id of first.values()) {
    await storage.withTransaction(async (tx) => await touch(tx, id))
  }
  const after = await pages()
  expect([...first.values()].map((id) => after.get(id))).toEqual([...first.keys()])
})

test('a database that a newer library has migrated is refused', async () => {
  const schema = newSchema()
  await open({ schema }).migrate()
  await openPool().query(`update ${schema}.durable_execution_schema set version = 99`)
  await expect(readyIds(open({ schema }))).rejects.toThrow('has schema version 99')
  await expect(readyIds(open({ schema, migrate: false }))).rejects.toThrow('has schema version 99')
})

test('the text of the schema makes what the storage needs', async () => {
  const schema = newSchema()
  await openPool().query(schemaText(schema))
  expect(await readyIds(open({ schema, migrate: false }))).toEqual([])
})

test('a schema may have any name', async () => {
  const storage = open({ schema: `Üb"er; drop 'x' ${newSchema()}` })
  await insert(storage, rowOf('te_1'))
  expect(await readyIds(storage)).toEqual(['te_1'])
})

test('closing waits for what was asked for, may be repeated, and refuses what comes later', async () => {
  const storage = open({ maxConnections: 1 })
  const inserts = ['te_1', 'te_2', 'te_3'].map((id) => insert(storage, rowOf(id)))
  await Promise.all([storage.close(), storage.close()])
  await Promise.all(inserts)
  await expect(readyIds(storage)).rejects.toThrow('The Postgres storage is closed')
})

test('closing leaves a pool of the user open, without a listener of ours', async () => {
  const pool = openPool()
  const storage = open({ pool })
  await readyIds(storage)
  await storage.close()
  expect(pool.listenerCount('error')).toBe(0)
  await pool.query('select 1')
})

test.each<[options: object, message: string]>([
  [{}, 'give either `connectionString` or `pool`'],
  [{ connectionString: 'x', pool: {} }, 'give either `connectionString` or `pool`'],
  [{ connectionString: '' }, '`connectionString` must be a text'],
  [{ pool: { query: 1 } }, '`pool` must be a Pool of pg'],
  [{ pool: { connect() {}, on() {}, off() {} }, maxConnections: 2 }, '`maxConnections` goes with'],
  [{ connectionString: 'x', maxConnections: 0 }, '`maxConnections` must be a whole number'],
  [{ connectionString: 'x', schema: '' }, '`schema` must be the name'],
  [{ connectionString: 'x', schema: 'ü'.repeat(26) }, '`schema` may have 50 bytes'],
  [{ connectionString: 'x', migrate: 1 }, '`migrate` must be true or false'],
  [{ connectionString: 'x', hints: 'no' }, '`hints` must be true or false'],
  [{ connectionString: 'x', listenConnectionString: 1 }, '`listenConnectionString` must be a text'],
  [{ connectionString: 'x', statementTimeoutMs: 1.5 }, '`statementTimeoutMs` must be a whole number'],
])('%j are refused', (options, message) => {
  expect(() => createPostgresStorage(options as PostgresStorageOptions)).toThrow(
    `Invalid options of the Postgres storage: ${message}`,
  )
})
