/** A row that is inserted, or settled, alone goes by a statement of its own, and comes to the same as one among others. */

import { Pool } from 'pg'
import { beforeAll, expect, onTestFinished, test } from 'vitest'

import { type ExecutionRow, type ExecutionUpdate } from '../../src/machine/execution.ts'
import { type DurableStorageTx } from '../../src/storage/contract.ts'
import {
  createPostgresStorage,
  POSTGRES_SESSION_OPTIONS,
  type PostgresQuery,
  type PostgresStorage,
} from '../../src/storage/postgres/index.ts'
import { newSchema } from './places.ts'
import { AT, claimOf, rowOf } from './rows.ts'
import { freshDatabase } from './server.ts'
import { spiedOn } from './spied-pool.ts'

let connectionString: string

beforeAll(async () => {
  connectionString = await freshDatabase()
}, 60_000)

/** Storages over two sets of tables, and what was sent to both. */
function open(): {
  alone: PostgresStorage
  among: PostgresStorage
  sent: Array<PostgresQuery>
} {
  const sent: Array<PostgresQuery> = []
  const pool = new Pool({ connectionString, options: POSTGRES_SESSION_OPTIONS })
  const spied = spiedOn(pool, (query) => sent.push(query))
  const openOne = (): PostgresStorage =>
    createPostgresStorage({ pool: spied, schema: newSchema(), hints: false })
  const [alone, among] = [openOne(), openOne()]
  onTestFinished(async () => {
    await Promise.all([alone.close(), among.close()])
    await pool.end()
  })
  return { alone, among, sent }
}

const LATER = new Date(AT.getTime() + 5_000)
const EARLY: Partial<ExecutionRow> = {
  status: 'running',
  startedAt: AT,
  expiresAt: LATER,
  leaseId: 'lease',
  executorId: 'executor',
  depth: 1,
}

const ROWS: ReadonlyArray<Partial<ExecutionRow>> = [
  {},
  EARLY,
  { depth: 2, retryAttempts: 3, sleepMsBeforeRun: 0.5, childrenTasksCompletedCount: 7 },
  { isClosed: true, needsPromiseCancellation: true, status: 'completed', runOutput: 'a', output: 'b' },
  { startAt: LATER, startedAt: AT },
  { startAt: LATER, createdAt: LATER, updatedAt: AT },
  { ...EARLY, startedAt: LATER, updatedAt: LATER, createdAt: LATER },
  { runInput: 'with \u001F and \u001E and \u001B and \0', tags: { a: "it's" }, priority: -3, losses: 0 },
  {
    retryOptions: { maxAttempts: 2, baseDelayMs: 1.5 },
    error: { errorType: 'generic', message: '', isRetryable: true },
  },
  {
    parentTask: { taskId: 'p', executionId: 'te_p', isFinalizeTask: false },
    rootTask: { taskId: 'r', executionId: 'te_r' },
    childIndex: 0,
  },
]

const read = async (storage: PostgresStorage, executionIds: Array<string>): Promise<Array<ExecutionRow>> =>
  (
    await storage.withTransaction(
      async (tx) => await tx.getTaskExecutions({ type: 'by_execution_ids', executionIds }),
    )
  ).toSorted((a, b) => (a.executionId < b.executionId ? -1 : 1))

const ids = ROWS.map((_, index) => `te_${index}`)

test('rows that are inserted one by one are kept as those that are inserted together', async () => {
  const { alone, among } = open()
  const rows = ROWS.map((fields, index) => rowOf(`te_${index}`, fields))
  await among.withTransaction(async (tx) => await tx.insertTaskExecutions(rows))
  for (const row of rows) {
    await alone.withTransaction(async (tx) => await tx.insertTaskExecutions([row]), { oneCall: true })
  }
  expect(await read(alone, ids)).toEqual(await read(among, ids))
  expect(await read(alone, ids)).toEqual(rows)
})

test('what most rows have is not handed over', async () => {
  const { alone, sent } = open()
  await read(alone, [])
  sent.length = 0
  const plain = rowOf('te_plain', EARLY)
  await alone.withTransaction(async (tx) => await tx.insertTaskExecutions([plain]), { oneCall: true })
  expect(sent).toHaveLength(1)
  // Its ids, its options and timeout, when, its input, its status and its lease.
  expect(sent[0]?.values).toHaveLength(10)
})

const SETTLED: ReadonlyArray<ExecutionUpdate> = [
  {
    status: 'completed',
    isClosed: true,
    finishedAt: LATER,
    updatedAt: LATER,
    runOutput: '1',
    output: '1',
    unsetExpiresAt: true,
  },
  {
    status: 'completed',
    isClosed: false,
    finishedAt: LATER,
    updatedAt: AT,
    runOutput: '1',
    output: '2',
    unsetExpiresAt: true,
  },
  {
    status: 'failed',
    needsPromiseCancellation: true,
    finishedAt: AT,
    updatedAt: AT,
    error: { errorType: 'generic', message: 'no', isRetryable: false },
  },
  { status: 'ready', retryAttempts: 1, startAt: LATER, updatedAt: AT, unsetExpiresAt: true },
  {
    status: 'waiting_for_children_tasks',
    updatedAt: AT,
    needsPromiseCancellation: false,
    childrenTasksCount: 2,
    runOutput: '1',
  },
  { updatedAt: LATER, hasCompensations: true },
]

const settle = async (
  tx: DurableStorageTx,
  updates: Array<[id: string, update: ExecutionUpdate]>,
  leaseId = 'lease',
): Promise<Array<string>> =>
  (await tx.updateTaskExecutionsBatch?.(
    updates.map(([executionId, update]) => ({ executionId, statuses: ['running'], leaseId, update })),
  )) ?? []

test('rows that were inserted running are settled alike, alone and together, without a look at claims', async () => {
  const { alone, among, sent } = open()
  const rows = SETTLED.map((_, index) => rowOf(`te_${index}`, EARLY))
  const updates = SETTLED.map((update, index): [string, ExecutionUpdate] => [`te_${index}`, update])
  for (const storage of [alone, among]) {
    await storage.withTransaction(async (tx) => await tx.insertTaskExecutions(rows))
  }
  sent.length = 0
  expect(await among.withTransaction(async (tx) => await settle(tx, updates))).toHaveLength(rows.length)
  for (const one of updates) {
    expect(await alone.withTransaction(async (tx) => await settle(tx, [one]), { oneCall: true })).toEqual([
      one[0],
    ])
  }
  expect(sent.filter(({ text }) => text.includes('claims'))).toEqual([])
  expect(await read(alone, ids)).toEqual(await read(among, ids))
  const after = await read(alone, ids)
  expect(after.map(({ status }) => status)).toEqual(SETTLED.map(({ status = 'running' }) => status))
})

test('a row that was inserted running, and is not any more, is not settled under that lease', async () => {
  const { alone } = open()
  await alone.withTransaction(async (tx) => await tx.insertTaskExecutions([rowOf('te_0', EARLY)]))
  await alone.withTransaction(
    async (tx) =>
      await settle(tx, [['te_0', { status: 'ready', startAt: AT, updatedAt: AT, unsetExpiresAt: true }]]),
  )
  const outcome: ExecutionUpdate = { status: 'completed', runOutput: 'late', updatedAt: AT }
  expect(await alone.withTransaction(async (tx) => await settle(tx, [['te_0', outcome]]))).toEqual([])
  // Claimed by somebody else, it says itself that it is ready.
  const claimed = await alone.withTransaction(
    async (tx) => await tx.claimTaskExecutions?.(claimOf({ leaseId: 'other' })),
  )
  expect(claimed?.map(({ executionId }) => executionId)).toEqual(['te_0'])
  expect(await alone.withTransaction(async (tx) => await settle(tx, [['te_0', outcome]]))).toEqual([])
  expect(await alone.withTransaction(async (tx) => await settle(tx, [['te_0', outcome]], 'other'))).toEqual([
    'te_0',
  ])
})

test('a lease under which a row was inserted, and another one claimed, settles both', async () => {
  const { alone } = open()
  await alone.withTransaction(
    async (tx) => await tx.insertTaskExecutions([rowOf('te_0', EARLY), rowOf('te_1')]),
  )
  await alone.withTransaction(async (tx) => await tx.claimTaskExecutions?.(claimOf({ leaseId: 'lease' })))
  for (const id of ['te_0', 'te_1']) {
    const one: [string, ExecutionUpdate] = [id, { status: 'completed', runOutput: '1', updatedAt: AT }]
    expect(await alone.withTransaction(async (tx) => await settle(tx, [one]))).toEqual([id])
  }
})

test('a lease of which this process does not know any more that it inserted rows under it is settled all the same', async () => {
  const { alone } = open()
  const rows = Array.from({ length: 2_001 }, (_, index) =>
    rowOf(`te_${index}`, { ...EARLY, leaseId: `lease ${index}` }),
  )
  await alone.withTransaction(async (tx) => await tx.insertTaskExecutions(rows))
  for (const index of [0, 1_500, 2_000]) {
    const one: [string, ExecutionUpdate] = [
      `te_${index}`,
      { status: 'completed', runOutput: '1', updatedAt: AT },
    ]
    expect(await alone.withTransaction(async (tx) => await settle(tx, [one], `lease ${index}`))).toEqual([
      one[0],
    ])
  }
})
