/** Claims that name their rows instead of writing them: what is in the tables, and what others make of it at the same time. */

import assert from 'node:assert/strict'

import * as fc from 'fast-check'
import { Pool } from 'pg'
import { beforeAll, expect, onTestFinished, test } from 'vitest'

import { type ExecutionRow, type ExecutionUpdate } from '../../src/machine/execution.ts'
import { type DurableStorage, type DurableStorageTx } from '../../src/storage/contract.ts'
import { createPostgresStorage, type PostgresStorage } from '../../src/storage/postgres/index.ts'
import { schemaText } from '../../src/storage/postgres/schema.ts'
import { CLAIM_GIVES } from '../../src/storage/postgres/claims-texts.ts'
import { CLAIMED_COLUMNS } from '../../src/storage/sql/rows.ts'
import { newSchema } from './places.ts'
import { AT, claimOf, insert, rowOf, touch } from './rows.ts'
import { freshDatabase } from './server.ts'

let connectionString: string

beforeAll(async () => {
  connectionString = await freshDatabase()
}, 60_000)

type World = {
  /** The same tables, on connections of its own. */
  open: () => PostgresStorage
  /** Closes all of it. */
  close: () => Promise<void>
  sql: (text: string) => Promise<Array<Record<string, unknown>>>
}

function newWorld(): World & { storage: PostgresStorage } {
  const schema = newSchema()
  const pool = new Pool({ connectionString, options: `-c search_path=${schema}` })
  const opened: Array<PostgresStorage> = []
  const open = (): PostgresStorage => {
    const storage = createPostgresStorage({ connectionString, schema, hints: false })
    opened.push(storage)
    return storage
  }
  const closeAll = async (): Promise<void> => {
    await Promise.all([...opened.map((storage) => storage.close()), pool.end()])
  }
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => (closing ??= closeAll())
  onTestFinished(close)
  return {
    open,
    close,
    storage: open(),
    sql: async (text) => (await pool.query<Record<string, unknown>>(text)).rows,
  }
}

const LATER = new Date(AT.getTime() + 30_000)

async function claim(
  storage: DurableStorage,
  leaseId: string,
  limit = 100,
  { now = AT, executorId = 'executor' }: { now?: Date; executorId?: string } = {},
): Promise<Array<ExecutionRow>> {
  const rows = await storage.withTransaction(
    async (tx) => await tx.claimTaskExecutions?.(claimOf({ limit, now, leaseId, executorId })),
    { oneCall: true },
  )
  return rows ?? []
}

async function claimIds(storage: DurableStorage, leaseId: string, limit?: number): Promise<Array<string>> {
  return (await claim(storage, leaseId, limit)).map(({ executionId }) => executionId)
}

const DONE: ExecutionUpdate = {
  status: 'completed',
  isClosed: true,
  output: '2',
  finishedAt: AT,
  unsetExpiresAt: true,
  updatedAt: AT,
}
const AGAIN: ExecutionUpdate = { status: 'ready', startAt: AT, unsetExpiresAt: true, updatedAt: AT }

async function settle(
  storage: DurableStorage,
  leaseId: string,
  executionIds: Array<string>,
  update: ExecutionUpdate = DONE,
): Promise<Array<string>> {
  const statuses = ['running' as const]
  const updates = executionIds.map((executionId) => ({ executionId, statuses, leaseId, update }))
  return await storage.withTransaction(async (tx) => (await tx.updateTaskExecutionsBatch?.(updates)) ?? [], {
    oneCall: true,
  })
}

async function read(storage: DurableStorage, executionId: string): Promise<ExecutionRow | undefined> {
  const where = { type: 'by_execution_ids' as const, executionIds: [executionId] }
  return (await storage.withTransaction(async (tx) => await tx.getTaskExecutions(where)))[0]
}

/** A transaction that is open until it is told to end. */
async function held(
  storage: DurableStorage,
  work: (tx: DurableStorageTx) => Promise<unknown>,
): Promise<() => Promise<void>> {
  let begun = (): void => {}
  let end = (): void => {}
  const isBegun = new Promise<void>((resolve) => {
    begun = resolve
  })
  const isEnded = new Promise<void>((resolve) => {
    end = resolve
  })
  const whole = storage.withTransaction(async (tx) => {
    await work(tx)
    begun()
    await isEnded
  })
  await Promise.race([isBegun, whole])
  return async () => {
    end()
    await whole
  }
}

/** Waits until some connection waits for a lock. */
async function untilOneWaits({ sql }: World): Promise<void> {
  for (;;) {
    const [found] = await sql(
      `select count(*)::int as waiting from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
    )
    if (found?.['waiting'] !== 0) {
      return
    }
  }
}

const ids = (count: number): Array<string> => Array.from({ length: count }, (_, index) => `te_${index + 1}`)

async function filled(count: number): Promise<World & { storage: PostgresStorage }> {
  const world = newWorld()
  await insert(world.storage, ...ids(count).map((id) => rowOf(id)))
  return world
}

test('the views and functions know all columns; another one needs a migration that makes them anew', () => {
  expect(CLAIM_GIVES).toEqual([...CLAIMED_COLUMNS.map(({ name }) => name), 'seq'])
})

/** A schema as a library of that version left it, and connections to it. */
async function schemaOfVersion(version: number): Promise<{ schema: string; pool: Pool }> {
  const schema = newSchema()
  const pool = new Pool({ connectionString, options: `-c search_path=${schema}` })
  onTestFinished(() => pool.end())
  const last = `values (${version});\n`
  const text = schemaText(schema)
  expect(text).toContain(last)
  await pool.query(`${text.slice(0, text.indexOf(last) + last.length)}commit`)
  return { schema, pool }
}

test('a database of version 3 is brought up to date, and its programs can only read it from then on', async () => {
  const { schema, pool } = await schemaOfVersion(3)
  await pool.query(`insert into executions (task_id, execution_id, retry_options, sleep_ms_before_run, timeout_ms, run_input,
      children_tasks_completed_count, status, is_closed, needs_promise_cancellation, retry_attempts, start_at, created_at, updated_at, expires_at, lease_id, executor_id)
    select 'task', 'te_' || n, '{}', 0, 1000, '1', 0, case n when 1 then 'running' else 'ready' end, 0, 0, 0, 0, 0, 0, n, 'old', 'old'
    from generate_series(1, 2) n`)
  const storage = createPostgresStorage({ connectionString, schema, hints: false })
  onTestFinished(() => storage.close())
  expect(await read(storage, 'te_1')).toMatchObject({ status: 'running', leaseId: 'old' })
  expect(await claimIds(storage, 'new')).toEqual(['te_2'])
  const { rows } = await pool.query('select status, lease_id from executions order by execution_id')
  expect(rows).toEqual([
    { status: 'running', lease_id: 'old' },
    { status: 'running', lease_id: 'new' },
  ])
  for (const text of [
    `update executions e set status = 'running' where execution_id = 'te_2'`,
    `update executions e set status = 'ready' from unnest(array['te_1']) as given(id) where e.execution_id = given.id returning e.execution_id`,
    `insert into executions (execution_id) values ('te_3')`,
    `select * from executions where execution_id = 'te_1' for update`,
  ]) {
    await expect(pool.query(text)).rejects.toThrow(/view|nullable side/)
  }
  expect(await settle(storage, 'old', ['te_1'])).toEqual(['te_1'])
})

test('a claim that a program of version 4 made goes on to name its rows', async () => {
  const { schema, pool } = await schemaOfVersion(4)
  await pool.query(`insert into execution_rows (task_id, execution_id, retry_options, sleep_ms_before_run, timeout_ms, run_input,
      children_tasks_completed_count, status, is_closed, needs_promise_cancellation, retry_attempts, start_at, created_at, updated_at)
    select 'task', 'te_' || n, '{}', 0, 1000, '1', 0, 'ready', 0, 0, 0, 0, 0, 0 from generate_series(1, 4) n`)
  await pool.query(`insert into claims (lease_id, executor_id, claimed_at, expires_at, first_start_at, first_seq, last_start_at, last_seq, members)
    values ('old', 'old', 0, ${LATER.getTime()}, 0, 2, 0, 3, '{[2,4)}')`)
  const [one, other] = [1, 2].map(() => createPostgresStorage({ connectionString, schema, hints: false }))
  assert(one !== undefined && other !== undefined, 'there are two')
  onTestFinished(async () => {
    await Promise.all([one.close(), other.close()])
  })
  expect(await claimIds(one, 'new', 1)).toEqual(['te_1'])
  expect(await claimIds(other, 'newer', 1)).toEqual(['te_4'])
  expect(await claimIds(one, 'newest', 1)).toEqual([])
  expect((await settle(one, 'old', ids(4))).toSorted()).toEqual(['te_2', 'te_3'])
})

test('a claim writes one row for all that it takes, and leaves them as they are', async () => {
  const { storage, sql } = await filled(3)
  expect(await claimIds(storage, 'lease', 2)).toEqual(['te_1', 'te_2'])
  expect(await sql('select distinct status, lease_id from execution_rows')).toEqual([
    { status: 'ready', lease_id: null },
  ])
  expect(await sql('select lease_id, executor_id, members::text from claims')).toEqual([
    { lease_id: 'lease', executor_id: 'executor', members: '{[1,3)}' },
  ])
})

test('what has a parent or a priority is written as running', async () => {
  const { storage, sql } = newWorld()
  const parentTask = { taskId: 'task', executionId: 'te_p', isFinalizeTask: false }
  await insert(storage, rowOf('te_1'), rowOf('te_2', { parentTask }))
  await claim(storage, 'one')
  await insert(storage, rowOf('te_3', { priority: 1 }), rowOf('te_4'))
  await claim(storage, 'two')
  expect(await sql('select execution_id, status from execution_rows order by seq')).toEqual([
    { execution_id: 'te_1', status: 'ready' },
    { execution_id: 'te_2', status: 'running' },
    { execution_id: 'te_3', status: 'running' },
    { execution_id: 'te_4', status: 'running' },
  ])
})

test('however it is read, a row that is claimed is running under the lease', async () => {
  const { storage } = await filled(3)
  const [claimed] = await claim(storage, 'lease', 1)
  const status = (
    one: 'ready' | 'running',
  ): { type: 'by_statuses'; statuses: Array<'ready' | 'running'> } => ({
    type: 'by_statuses',
    statuses: [one],
  })
  await storage.withTransaction(async (tx) => {
    expect(await tx.getTaskExecutions({ type: 'by_execution_ids', executionIds: ['te_1'] })).toEqual([
      claimed,
    ])
    expect(
      await tx.getTaskExecutionIds({ type: 'by_execution_ids', executionIds: ids(3), statuses: ['ready'] }),
    ).toEqual(['te_2', 'te_3'])
    expect(await tx.getTaskExecutions(status('running'))).toEqual([claimed])
    expect(await tx.getTaskExecutions({ ...status('running'), expiresAtLessThan: LATER })).toEqual([])
    expect(await tx.getTaskExecutionIds(status('ready'))).toEqual(['te_2', 'te_3'])
    const due = { type: 'by_start_at_less_than' as const, startAtLessThan: LATER }
    expect(await tx.getTaskExecutionIds({ ...due, statuses: ['ready'] }, 1)).toEqual(['te_2'])
    expect(await tx.getTaskExecutions({ ...due, statuses: ['running'] })).toEqual([claimed])
    expect(
      (await tx.getTaskExecutions({ ...due, statuses: ['ready', 'running'] })).map((row) => row.status),
    ).toEqual(['running', 'ready', 'ready'])
    expect(await tx.getTaskExecutionFields?.(['te_1'], ['leaseId', 'status'])).toEqual([
      { executionId: 'te_1', status: 'running', leaseId: 'lease' },
    ])
    expect(await tx.getTaskExecutionsInIdRanges?.([{ from: 'te_1', to: 'te_2' }])).toEqual([claimed])
    expect(await tx.lockTaskExecutions?.(['te_1'])).toEqual([claimed])
  })
})

test('settled, a row says itself under which lease it ran', async () => {
  const { storage, sql } = await filled(2)
  const [claimed] = await claim(storage, 'lease')
  expect(await settle(storage, 'other', ['te_1'])).toEqual([])
  expect(await settle(storage, 'lease', ['te_1', 'te_1x'])).toEqual(['te_1'])
  const { expiresAt: _, ...rest } = { ...claimed, ...DONE, unsetExpiresAt: undefined } as ExecutionRow
  expect(await read(storage, 'te_1')).toEqual(JSON.parse(JSON.stringify(rest), reviveDates))
  expect(await sql(`select status, lease_id from execution_rows where execution_id = 'te_1'`)).toEqual([
    { status: 'completed', lease_id: 'lease' },
  ])
  expect(await settle(storage, 'lease', ['te_1'])).toEqual([])
})

function reviveDates(key: string, value: unknown): unknown {
  return key.endsWith('At') ? new Date(value as string) : value
}

test('a row that is changed under its lease, and not settled, says that it runs, since when it did', async () => {
  const { storage, sql } = await filled(1)
  const before = new Date(AT.getTime() + 5)
  await sql(`update execution_rows set started_at = ${before.getTime()}`)
  const [claimed] = await claim(storage, 'lease')
  expect(claimed?.startedAt).toEqual(new Date(before.getTime() + 1))
  for (const output of ['one', 'two']) {
    expect(await settle(storage, 'lease', ['te_1'], { output, updatedAt: AT })).toEqual(['te_1'])
    expect(await read(storage, 'te_1')).toEqual({ ...claimed, output })
  }
})

test('a claim of which nothing runs any more is deleted by the next of its executor', async () => {
  const { storage, sql } = await filled(6)
  await claim(storage, 'one', 2)
  await claim(storage, 'two', 2)
  await settle(storage, 'one', ['te_1', 'te_2'])
  await settle(storage, 'two', ['te_3'])
  // From the start, which is where each claim begins once a second.
  await claim(storage, 'three', 1, { now: new Date(AT.getTime() + 1_000) })
  expect(await sql('select lease_id from claims order by claim_id')).toEqual([
    { lease_id: 'two' },
    { lease_id: 'three' },
  ])
})

test('and one that has lapsed by the next of any other, once what it named is taken back', async () => {
  const { storage, sql } = await filled(1)
  await claim(storage, 'dead', 1, { executorId: 'dead' })
  const late = { now: new Date(AT.getTime() + 60_000), executorId: 'alive' }
  expect(await claim(storage, 'early', 1, late)).toEqual([])
  expect(await sql('select lease_id from claims')).toEqual([{ lease_id: 'dead' }])
  await storage.withTransaction(async (tx) => {
    await tx.lockTaskExecutions?.(['te_1'])
    await tx.updateTaskExecutionsBatch?.([{ executionId: 'te_1', update: AGAIN }])
  })
  expect((await claim(storage, 'next', 1, late)).map((row) => row.executionId)).toEqual(['te_1'])
  expect(await sql('select lease_id from claims')).toEqual([{ lease_id: 'next' }])
})

test('a row that is given back can be claimed again at once, however often, while its first claim is open', async () => {
  const { storage } = await filled(2)
  await claim(storage, 'first')
  await settle(storage, 'first', ['te_1'], AGAIN)
  for (const lease of ['second', 'third', 'fourth']) {
    expect(await claimIds(storage, lease)).toEqual(['te_1'])
    // Written out, and given back by whoever does not name the lease.
    await storage.withTransaction(async (tx) => await touch(tx, 'te_1'))
    await storage.withTransaction(
      async (tx) =>
        await tx.updateTaskExecutions({ type: 'by_execution_ids', executionIds: ['te_1'] }, AGAIN),
    )
    expect(await settle(storage, lease, ['te_1'])).toEqual([])
    expect(await settle(storage, 'first', ['te_1'])).toEqual([])
  }
  expect(await settle(storage, 'first', ['te_2'])).toEqual(['te_2'])
})

test('renewing moves the lapse of the rows that are named, and of no others of their claim', async () => {
  const { storage } = await filled(3)
  await claim(storage, 'lease')
  const expiresAt = new Date(AT.getTime() + 90_000)
  const renewed = await storage.withTransaction(
    async (tx) =>
      await tx.renewTaskExecutions?.({
        leases: [
          { executionId: 'te_2', leaseId: 'lease' },
          { executionId: 'te_3', leaseId: 'other' },
        ],
        expiresAt,
        now: AT,
      }),
    { oneCall: true },
  )
  expect(renewed).toEqual([{ executionId: 'te_2' }])
  expect((await read(storage, 'te_2'))?.expiresAt).toEqual(expiresAt)
  expect((await read(storage, 'te_1'))?.expiresAt).toEqual(LATER)
  expect((await settle(storage, 'lease', ids(3))).toSorted()).toEqual(ids(3))
})

test('a row that somebody has locked is not waited for by a renewal, and still is under its lease', async () => {
  const world = await filled(2)
  await claim(world.storage, 'lease')
  const end = await held(world.open(), async (tx) => await touch(tx, 'te_1'))
  const renewed = await world.storage.withTransaction(
    async (tx) =>
      await tx.renewTaskExecutions?.({
        leases: ids(2).map((executionId) => ({ executionId, leaseId: 'lease' })),
        expiresAt: LATER,
        now: AT,
      }),
    { oneCall: true },
  )
  await end()
  expect(renewed?.toSorted((a, b) => (a.executionId < b.executionId ? -1 : 1))).toEqual([
    { executionId: 'te_1', isSkipped: true },
    { executionId: 'te_2' },
  ])
})

test('a settlement that meets whoever locks its row waits, and is not refused', async () => {
  const world = await filled(2)
  await claim(world.storage, 'lease')
  const end = await held(world.open(), async (tx) => await tx.lockTaskExecutions?.(['te_1']))
  const settled = settle(world.storage, 'lease', ids(2))
  await untilOneWaits(world)
  await end()
  expect((await settled).toSorted()).toEqual(ids(2))
})

test('one that meets whoever takes the row back is refused', async () => {
  const world = await filled(2)
  await claim(world.storage, 'lease')
  const end = await held(world.open(), async (tx) => {
    await tx.lockTaskExecutions?.(['te_1'])
    await tx.updateTaskExecutionsBatch?.([{ executionId: 'te_1', update: AGAIN }])
  })
  const settled = settle(world.storage, 'lease', ['te_1'])
  await untilOneWaits(world)
  const other = settle(world.storage, 'lease', ['te_2'])
  await end()
  expect(await settled).toEqual([])
  expect(await other).toEqual(['te_2'])
})

test('a row that was written out, and its claim deleted, while the settlement waited is settled', async () => {
  const world = await filled(1)
  await claim(world.storage, 'lease')
  const pool = new Pool({ connectionString })
  onTestFinished(() => pool.end())
  const joined = await pool.connect()
  await joined.query('begin')
  const tx = await world.storage.joinTransaction?.(joined)
  await tx?.lockTaskExecutions?.(['te_1'])
  const [found] = await world.sql('select current_schema() as name')
  await joined.query(`delete from ${String(found?.['name'])}.claims`)
  const settled = settle(world.storage, 'lease', ['te_1'])
  await untilOneWaits(world)
  await joined.query('commit')
  joined.release()
  expect(await settled).toEqual(['te_1'])
})

test('whoever holds a row keeps claims from it, and an update that is told to change what is ready from what is claimed', async () => {
  const world = await filled(2)
  const end = await held(world.open(), async (tx) => await tx.lockTaskExecutions?.(['te_1']))
  expect(await claimIds(world.storage, 'lease')).toEqual(['te_2'])
  await end()
  const changed = await world.storage.withTransaction(async (tx) => {
    const update = { output: 'changed', updatedAt: AT }
    return await tx.updateTaskExecutions(
      { type: 'by_execution_ids', executionIds: ids(2), statuses: ['ready'] },
      update,
    )
  })
  expect(changed).toEqual(['te_1'])
  expect(
    await world.storage.withTransaction(
      async (tx) =>
        await tx.updateTaskExecutions({ type: 'by_statuses', statuses: ['running'] }, { updatedAt: AT }),
    ),
  ).toEqual(['te_2'])
})

test('guards without a lease ask what is true, and not what the row says', async () => {
  const { storage } = await filled(2)
  await claim(storage, 'lease', 1)
  const change = async (statuses: Array<'ready' | 'running'>): Promise<Array<string>> =>
    await storage.withTransaction(
      async (tx) =>
        (await tx.updateTaskExecutionsBatch?.(
          ids(2).map((executionId) => ({
            executionId,
            statuses,
            update: { output: statuses.join(), updatedAt: AT },
          })),
        )) ?? [],
      { oneCall: true },
    )
  expect(await change(['ready'])).toEqual(['te_2'])
  expect(await change(['running'])).toEqual(['te_1'])
  expect(await read(storage, 'te_1')).toMatchObject({
    status: 'running',
    output: 'running',
    leaseId: 'lease',
  })
})

test('what asks for ready and running rows has all of them', async () => {
  const { storage } = await filled(2)
  await claim(storage, 'lease', 1)
  const update = { updatedAt: AT }
  const statuses: Array<'ready' | 'running'> = ['ready', 'running']
  await storage.withTransaction(async (tx) => {
    const byIds = { type: 'by_execution_ids' as const, executionIds: ids(2), statuses }
    expect((await tx.updateTaskExecutions(byIds, update)).toSorted()).toEqual(ids(2))
  })
  await storage.withTransaction(async (tx) => {
    const changed = await tx.updateTaskExecutionsBatch?.(
      ids(2).map((executionId) => ({ executionId, statuses, update })),
    )
    expect(changed?.toSorted()).toEqual(ids(2))
  })
  await storage.withTransaction(async (tx) => {
    const changed = await tx.updateTaskExecutions({ type: 'by_statuses', statuses }, update)
    expect(changed.toSorted()).toEqual(ids(2))
  })
})

test('of one batch some rows may become ready, and others not', async () => {
  const { storage } = await filled(2)
  await claim(storage, 'lease')
  const updates = ids(2).map((executionId, index) => ({
    executionId,
    statuses: ['running' as const],
    leaseId: 'lease',
    update: { status: index === 0 ? ('ready' as const) : ('failed' as const), updatedAt: AT },
  }))
  const changed = await storage.withTransaction(async (tx) => await tx.updateTaskExecutionsBatch?.(updates))
  expect(changed?.toSorted()).toEqual(ids(2))
  expect(await read(storage, 'te_1')).toMatchObject({ status: 'ready' })
  expect(await settle(storage, 'lease', ids(2))).toEqual([])
  expect(await claimIds(storage, 'next')).toEqual(['te_1'])
})

test('a transaction may claim what it has locked, and take it back', async () => {
  const { storage } = await filled(1)
  await storage.withTransaction(async (tx) => {
    await tx.lockTaskExecutions?.(['te_1'])
    const claimed = await tx.claimTaskExecutions?.(claimOf({ limit: 1 }))
    expect(await tx.lockTaskExecutions?.(['te_1'])).toEqual(claimed)
    await tx.updateTaskExecutionsBatch?.([{ executionId: 'te_1', update: { ...AGAIN, leaseId: 'none' } }])
  })
  expect(await claimIds(storage, 'next')).toEqual(['te_1'])
})

const CHANGES: Array<[name: string, call: (tx: DurableStorageTx) => unknown]> = [
  [
    'an update',
    (tx) =>
      tx.updateTaskExecutions(
        { type: 'by_execution_ids', executionIds: ['te_1'], statuses: ['ready'] },
        { output: 'mine', updatedAt: AT },
      ),
  ],
  [
    'a guarded update',
    (tx) =>
      tx.updateTaskExecutionsBatch?.([
        { executionId: 'te_1', statuses: ['ready'], update: { output: 'mine', updatedAt: AT } },
      ]),
  ],
]

test.each(CHANGES)(
  '%s of what is ready holds all rows before it looks, so that none becomes ready and is claimed meanwhile',
  async (_, call) => {
    const { storage, sql } = newWorld()
    await insert(storage, rowOf('te_1', { status: 'waiting_for_children_tasks' }))
    const pool = new Pool({ connectionString, max: 1 })
    onTestFinished(() => pool.end())
    const client = await pool.connect()
    await client.query('begin')
    const refused: Array<unknown> = []
    const tx = await storage.joinTransaction?.({
      query: async (text: string, values: Array<unknown>) => {
        if (text.startsWith('update')) {
          refused.push(await sql('select from execution_rows for update nowait').catch(String))
        }
        return await client.query(text, values)
      },
    })
    expect(await call(tx)).toEqual([])
    await client.query('commit')
    client.release()
    expect(refused).toEqual([expect.stringContaining('could not obtain lock')])
  },
)

test('an update of all that is ready leaves out what was claimed while it waited', async () => {
  const world = await filled(3)
  const other = world.open()
  await claim(world.storage, 'lease', 1)
  const changed = await other.withTransaction(async (tx) => {
    const found = await tx.updateTaskExecutions(
      { type: 'by_statuses', statuses: ['ready'] },
      { updatedAt: AT },
    )
    const meanwhile = claimIds(world.storage, 'two')
    await untilOneWaits(world)
    return { found, meanwhile }
  })
  expect(changed.found.toSorted()).toEqual(['te_2', 'te_3'])
  expect(await changed.meanwhile).toEqual(['te_2', 'te_3'])
})

/** Claims of the executor `slow` wait, once they have begun to look, until the lock 77 is free. */
async function slowDown({ sql }: World, name: string): Promise<void> {
  const [found] = await sql(
    `select pg_get_functiondef(oid) as text from pg_proc where proname = '${name}' and pronamespace = current_schema()::regnamespace`,
  )
  const text = String(found?.['text'])
  const slow = text.replaceAll(
    'e.start_at <= now_ms',
    `e.start_at <= now_ms and (executor <> 'slow' or (select pg_advisory_xact_lock(77)::text) is not null)`,
  )
  expect(slow).not.toBe(text)
  await sql(slow)
}

test.each([
  ['claim_plain', undefined],
  ['claim_by_priority', 1],
])('what others claimed while %s looked is not taken twice, and made up for', async (name, priority) => {
  const world = await filled(6)
  if (priority !== undefined) {
    await insert(world.storage, rowOf('te_0', { priority }))
  }
  await slowDown(world, name)
  const lock = new Pool({ connectionString, max: 1 })
  onTestFinished(() => lock.end())
  const gate = await lock.connect()
  await gate.query('select pg_advisory_lock(77)')
  const slow = claim(world.open(), 'slow', 4, { executorId: 'slow' })
  await untilOneWaits(world)
  // No longer prioritized, so that this one names what it takes.
  await world.sql(`update execution_rows set status = 'completed' where priority = 1`)
  const quick = await claimIds(world.storage, 'quick', 3)
  await gate.query('select pg_advisory_unlock(77)')
  gate.release()
  expect(quick).toEqual(['te_1', 'te_2', 'te_3'])
  expect((await slow).map(({ executionId }) => executionId)).toEqual(['te_4', 'te_5', 'te_6'])
  expect((await settle(world.storage, 'quick', ids(6))).toSorted()).toEqual(['te_1', 'te_2', 'te_3'])
  expect((await settle(world.storage, 'slow', ids(6))).toSorted()).toEqual(['te_4', 'te_5', 'te_6'])
})

test('claims are refused under an isolation that does not see what others claimed meanwhile', async () => {
  const { storage } = await filled(1)
  const pool = new Pool({ connectionString })
  onTestFinished(() => pool.end())
  const client = await pool.connect()
  await client.query('begin isolation level repeatable read')
  const tx = await storage.joinTransaction?.(client)
  const refused = Promise.resolve(tx?.claimTaskExecutions?.(claimOf({ limit: 1 })))
  await expect(refused).rejects.toThrow('claims must be made under read committed')
  await client.query('rollback')
  client.release()
})

type Step = { who: number; does: 'claim' | 'finish' | 'again' | 'lock' | 'take back' | 'renew'; of: number }

const step: fc.Arbitrary<Step> = fc.record({
  who: fc.nat(3),
  does: fc.constantFrom('claim', 'claim', 'finish', 'again', 'lock', 'take back', 'renew'),
  of: fc.nat(9),
})

test('whatever is done at the same time, a row is settled by nobody but who has it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
      const world = await filled(10)
      const storages = [world.storage, world.open(), world.open(), world.open()]
      // Each claim has a lease of its own, and each row that it gave belongs to it until it is settled or taken back.
      const had: Array<{ lease: string; id: string }> = []
      const ends = new Map<string, number>()
      const ended = (lease: string, id: string): void => {
        ends.set(`${lease} ${id}`, (ends.get(`${lease} ${id}`) ?? 0) + 1)
      }
      let count = 0
      const act = async ({ who, does, of }: Step): Promise<void> => {
        const storage = storages[who] ?? world.storage
        const id = `te_${of + 1}`
        if (does === 'claim') {
          const lease = `lease_${(count += 1)}`
          for (const row of await claim(storage, lease, 1 + (of % 4), { executorId: `executor_${who}` })) {
            had.push({ lease, id: row.executionId })
          }
          return
        }
        if (does === 'lock') {
          await storage.withTransaction(async (tx) => await tx.lockTaskExecutions?.([id, 'te_1']))
          return
        }
        if (does === 'take back') {
          const lease = await storage.withTransaction(async (tx) => {
            const [row] = (await tx.lockTaskExecutions?.([id])) ?? []
            if (row?.status === 'running') {
              await tx.updateTaskExecutionsBatch?.([{ executionId: id, update: AGAIN }])
              return row.leaseId
            }
            return undefined
          })
          if (lease !== undefined) {
            ended(lease, id)
          }
          return
        }
        const mine = had[of % Math.max(1, had.length)]
        if (mine === undefined) {
          return
        }
        if (does === 'renew') {
          await storage.withTransaction(
            async (tx) =>
              await tx.renewTaskExecutions?.({
                leases: [{ executionId: mine.id, leaseId: mine.lease }],
                expiresAt: LATER,
                now: AT,
              }),
            { oneCall: true },
          )
          return
        }
        for (const done of await settle(storage, mine.lease, [mine.id], does === 'finish' ? DONE : AGAIN)) {
          ended(mine.lease, done)
        }
      }
      // A few at a time, so that they meet.
      for (let at = 0; at < steps.length; at += 6) {
        const results = await Promise.allSettled(steps.slice(at, at + 6).map(act))
        for (const result of results) {
          // Two that wait for each other are no fault: one of them is told so, and makes it again.
          if (result.status === 'rejected') {
            expect(String(result.reason)).toMatch(/deadlock/)
          }
        }
      }
      // Nobody's turn ended twice, and of a row that was finished all turns have ended.
      expect([...ends.values()].filter((times) => times > 1)).toEqual([])
      const rows = await world.storage.withTransaction(
        async (tx) => await tx.getTaskExecutions({ type: 'by_execution_ids', executionIds: ids(10) }),
      )
      for (const row of rows) {
        const turns = had.filter(({ id }) => id === row.executionId)
        const open = turns.filter(({ lease, id }) => !ends.has(`${lease} ${id}`))
        expect(open.length).toBe(row.status === 'running' ? 1 : 0)
      }
      await world.close()
    }),
    { numRuns: 25, endOnFailure: true },
  )
}, 120_000)
