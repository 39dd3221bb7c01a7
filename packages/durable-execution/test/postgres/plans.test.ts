/** How Postgres goes about the statements: each through the index meant for it, whatever it knows of the table. */

import { Pool } from 'pg'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'

import { LIMITS } from '../../src/base/limits.ts'
import {
  createDurableTaskExecutionStorageObject,
  type ExecutionRow,
  FINISHED_STATUSES,
} from '../../src/machine/execution.ts'
import { type DurableStorageTx } from '../../src/storage/contract.ts'
import { type Places } from '../../src/storage/postgres/claim-cursor.ts'
import { claimByPriority } from '../../src/storage/postgres/claim-statements.ts'
import { createPostgresStorage, POSTGRES_SESSION_OPTIONS } from '../../src/storage/postgres/index.ts'
import { newSchema } from './places.ts'
import { freshDatabase, ownServer } from './server.ts'

const AT = new Date(1_000)
const byIds = { type: 'by_execution_ids' as const, executionIds: ['a', 'b'] }
const update = { updatedAt: AT }
const claim = { taskIds: ['t', 'u'], limit: 5, now: AT, expiresAt: AT, leaseId: 'l', executorId: 'e' }
const guard = { statuses: ['running' as const], leaseId: 'l' }
const newRow = (executionId: string): ExecutionRow =>
  createDurableTaskExecutionStorageObject({
    now: AT,
    taskId: 't',
    executionId,
    retryOptions: { maxAttempts: 0 },
    sleepMsBeforeRun: 0,
    timeoutMs: 1,
    runInput: '',
  })
const unclosed = { type: 'by_statuses' as const, statuses: [...FINISHED_STATUSES], isClosed: false }

/** For each statement the indexes it reads, and how often. */
const CALLS: Array<[name: string, indexes: Array<string>, call: (tx: DurableStorageTx) => unknown]> = [
  ['enqueue', [], (tx) => tx.insertTaskExecutions([newRow('new_1'), newRow('new_2')])],
  // The index of those that have a priority says that there is none.
  [
    'claim',
    ['executions_pkey', 'executions_prioritized', 'executions_ready'],
    (tx) => tx.claimTaskExecutions?.({ ...claim, excludedExecutionIds: [] }),
  ],
  [
    'claim but for some',
    ['executions_pkey', 'executions_prioritized', 'executions_ready'],
    (tx) => tx.claimTaskExecutions?.({ ...claim, excludedExecutionIds: ['x', 'y'] }),
  ],
  [
    'due',
    ['executions_prioritized', 'executions_ready'],
    (tx) =>
      tx.getTaskExecutionIds({ type: 'by_start_at_less_than', statuses: ['ready'], startAtLessThan: AT }, 5),
  ],
  [
    'recover',
    ['executions_running'],
    (tx) => tx.getTaskExecutions({ type: 'by_statuses', statuses: ['running'], expiresAtLessThan: AT }, 5),
  ],
  ['unclosed', ['executions_unclosed'], (tx) => tx.getTaskExecutions(unclosed, 5)],
  [
    'some unclosed',
    ['executions_unclosed'],
    (tx) => tx.getTaskExecutionIds({ ...unclosed, statuses: ['failed', 'cancelled'] }, 5),
  ],
  ['below', ['executions_below'], (tx) => tx.getTaskExecutionIdsBelow?.('p', 5)],
  ['read by ids', ['executions_pkey'], (tx) => tx.getTaskExecutions(byIds)],
  ['read fields', ['executions_pkey'], (tx) => tx.getTaskExecutionFields?.(['a', 'b'], ['output'])],
  [
    'touch',
    ['executions_pkey'],
    (tx) => tx.updateTaskExecutions({ ...byIds, statuses: ['running'] }, update),
  ],
  ['lock', ['executions_pkey'], (tx) => tx.lockTaskExecutions?.(['a', 'b'], { isLean: true })],
  [
    'settle one',
    ['executions_pkey'],
    (tx) => tx.updateTaskExecutionsBatch?.([{ executionId: 'a', ...guard, update }]),
  ],
  [
    'settle many',
    ['executions_pkey'],
    (tx) =>
      tx.updateTaskExecutionsBatch?.([
        { executionId: 'a', ...guard, update },
        { executionId: 'b', ...guard, update: { updatedAt: new Date(2) } },
      ]),
  ],
  [
    'renew',
    ['executions_pkey', 'executions_pkey', 'executions_pkey'],
    (tx) =>
      tx.renewTaskExecutions?.({
        leases: ['a', 'b'].map((executionId) => ({ executionId, leaseId: 'l' })),
        expiresAt: AT,
        now: AT,
      }),
  ],
]

const servers: Record<string, string> = {}

beforeAll(async () => {
  servers['the newest Postgres'] = await freshDatabase()
  servers['Postgres 14'] = await (await ownServer({ version: 14 })).createDatabase()
}, 120_000)

const STATES: Array<[name: string, fill: (table: string) => Array<string>]> = [
  ['an empty table', () => []],
  [
    'a table that was analysed empty and then filled',
    (table) => [`analyze ${table}`, fillText(table, 'ready')],
  ],
  ['a table full of ready rows, analysed', (table) => [fillText(table, 'ready'), `analyze ${table}`]],
  [
    'a table full of suspended rows, which are due in a hundred years, analysed',
    (table) => [
      fillText(table, 'ready'),
      `update ${table} set start_at = start_at + ${LIMITS.delayMs}`,
      `vacuum analyze ${table}`,
    ],
  ],
  ['a table full of running rows, analysed', (table) => [fillText(table, 'running'), `analyze ${table}`]],
  ['a table full of closed rows, analysed', (table) => [fillText(table, 'completed'), `analyze ${table}`]],
  [
    'a table full of closed rows that were all ready when it was analysed',
    (table) => [
      fillText(table, 'ready'),
      `analyze ${table}`,
      `update ${table} set status = 'completed', is_closed = 1`,
    ],
  ],
]

describe.each(['the newest Postgres', 'Postgres 14'])('on %s', (server) => {
  test.each(STATES)('in %s each statement goes through the index meant for it', async (_, fill) => {
    const schema = newSchema()
    const pool = new Pool({
      connectionString: servers[server],
      options: POSTGRES_SESSION_OPTIONS,
      max: 1,
    })
    onTestFinished(() => pool.end())
    const storage = createPostgresStorage({ pool, schema, hints: false })
    await storage.withTransaction(async (tx) => await tx.getTaskExecutionIds(byIds))
    for (const text of fill(`${schema}.executions`)) {
      await pool.query(text)
    }
    const seen: Array<[string, Array<string>]> = []
    for (const [name, , call] of CALLS) {
      const plans = await plansOf(pool, schema, call)
      // A claim that took nothing looks for priorities, by the statement that is looked at below.
      const looked = name.startsWith('claim') ? plans.slice(0, 1) : plans
      seen.push([name, looked.flatMap(tablesRead).toSorted()])
    }
    expect(seen).toEqual(CALLS.map(([name, indexes]) => [name, indexes]))
    for (const places of [new Map(), new Map([[0, { startAt: 1, seq: 1 }]])]) {
      const lines = await planByPriority(pool, `${schema}.executions`, places)
      expect(tablesRead(lines).toSorted()).toEqual([
        'executions_pkey',
        'executions_ready',
        'executions_ready',
        'executions_ready',
      ])
      expect(lines.join('\n')).toMatch(BY_PRIORITY)
      expect(lines.join('\n')).not.toMatch(/Sort|Hash Join|Merge Join/)
    }
  })
})

// One step through the index to each priority, and one to its rows that are due.
const BY_PRIORITY =
  /Index Cond: \(COALESCE\(priority.*\) > COALESCE[^]*Index Cond: \(\(COALESCE\(priority.*\) < level.priority\) AND \(COALESCE[^]*Index Cond: \(\(COALESCE\(priority.*\) = level_1.priority\) AND \(start_at <= .*ROW\(start_at, seq\) > ROW/

async function planByPriority(pool: Pool, table: string, places: Places): Promise<Array<string>> {
  const cells = { now: AT.getTime(), expiresAt: AT.getTime(), leaseId: 'l', executorId: 'e' }
  const { text, values } = claimByPriority(table, { ...claim, excludedExecutionIds: [] }, cells, places)
  return await explain(pool, text, values)
}

test('a claim that goes on where the last one ended begins to read the index there', async () => {
  const schema = newSchema()
  const pool = new Pool({
    connectionString: servers['the newest Postgres'],
    options: POSTGRES_SESSION_OPTIONS,
    max: 1,
  })
  onTestFinished(() => pool.end())
  const storage = createPostgresStorage({ pool, schema, hints: false })
  await storage.withTransaction(async (tx) => await tx.getTaskExecutionIds(byIds))
  await pool.query(fillText(`${schema}.executions`, 'ready'))
  const claimSome = (tx: DurableStorageTx): unknown =>
    tx.claimTaskExecutions?.({ ...claim, excludedExecutionIds: [] })
  const [, second = []] = await plansOf(pool, schema, claimSome, 2)
  expect(tablesRead(second).toSorted()).toEqual([
    'executions_pkey',
    'executions_prioritized',
    'executions_ready',
  ])
  expect(second.join('\n')).toMatch(/Index Cond: .*ROW\(start_at, seq\) > ROW/)
})

function fillText(table: string, status: string): string {
  const row = newRow('te')
  const isClosed = status === 'completed' ? 1 : 0
  const at = row.startAt.getTime()
  return `insert into ${table} (task_id, execution_id, retry_options, sleep_ms_before_run, timeout_ms, run_input,
      children_tasks_completed_count, status, is_closed, needs_promise_cancellation, retry_attempts, start_at,
      expires_at, created_at, updated_at, lease_id, parent_execution_id)
    select 't', 'te_' || n, '{}', 0, 1, '', 0, '${status}', ${isClosed}, 0, 0, ${at} - n, ${at}, ${at}, ${at}, 'l', 'p' || n
    from generate_series(1, 20000) n`
}

/** The plans of the statements that the call sends. */
async function plansOf(
  pool: Pool,
  schema: string,
  call: (tx: DurableStorageTx) => unknown,
  times = 1,
): Promise<Array<Array<string>>> {
  const sent: Array<{ text: string; values: Array<unknown> }> = []
  const spying = {
    on: pool.on.bind(pool),
    off: pool.off.bind(pool),
    connect: async () => {
      const client = await pool.connect()
      return Object.assign(Object.create(client) as typeof client, {
        query: (query: { text: string; values: Array<unknown> }) => {
          sent.push(query)
          return client.query(query as never)
        },
      })
    },
  }
  const storage = createPostgresStorage({ pool: spying, schema, hints: false, migrate: false })
  for (let time = 0; time < times; time += 1) {
    await storage.withTransaction(async (tx) => await call(tx), { oneCall: true })
  }
  await storage.close()
  const plans: Array<Array<string>> = []
  for (const { text, values } of sent.filter((query) => query.text.includes('.executions'))) {
    plans.push(await explain(pool, text, values))
  }
  return plans
}

// A statement with parameters is explained as a prepared one, as which it would have its generic plan.
async function explain(pool: Pool, text: string, values: Array<unknown>): Promise<Array<string>> {
  const literals = values.map((value) => `'${String(value).replaceAll("'", "''")}'`)
  await pool.query(`prepare explained as ${text}`)
  const { rows } = await pool.query<Array<string>>({
    text: `explain execute explained${literals.length === 0 ? '' : `(${literals.join(', ')})`}`,
    rowMode: 'array',
  })
  await pool.query('deallocate explained')
  return rows.map(([line = '']) => line)
}

/** How each look at the table is made: the index used, or what was done instead. */
function tablesRead(plan: Array<string>): Array<string> {
  return plan
    .map(
      (line) =>
        /Index (?:Only )?Scan (?:Backward )?using (\w+)/.exec(line)?.[1] ??
        /((?:Seq|Bitmap Heap) Scan) on executions/.exec(line)?.[1],
    )
    .filter((read) => read !== undefined)
}
