/** How Postgres goes about the statements: each through the index meant for it, whatever it knows of the table. */

import { Pool } from 'pg'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'

import { LIMITS } from '../../src/base/limits.ts'
import { createDurableTaskExecutionStorageObject, type ExecutionRow } from '../../src/machine/execution.ts'
import { FINISHED_STATUSES } from '../../src/machine/status.ts'
import { type DurableStorageTx } from '../../src/storage/contract.ts'
import {
  createPostgresStorage,
  POSTGRES_SESSION_OPTIONS,
  type PostgresStorage,
} from '../../src/storage/postgres/index.ts'
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
// What is due, what has a parent, what has a priority; what the claims of before still name. One that took nothing looks for
// priorities: see below.
const CLAIM = ['executions_pkey', 'executions_prioritized', 'executions_ready', 'executions_ready']
const unclosed = { type: 'by_statuses' as const, statuses: [...FINISHED_STATUSES], isClosed: false }

/** For each call the indexes that its statements read, those within functions too; each as often as it stands in a plan. */
const CALLS: Array<[name: string, indexes: Array<string>, call: (tx: DurableStorageTx) => unknown]> = [
  ['enqueue', [], (tx) => tx.insertTaskExecutions([newRow('new_1'), newRow('new_2')])],
  ['claim', CLAIM, (tx) => tx.claimTaskExecutions?.({ ...claim, excludedExecutionIds: [] })],
  [
    'claim but for some',
    CLAIM,
    // In another order of the tasks, since the claim before left a place to go on.
    (tx) => tx.claimTaskExecutions?.({ ...claim, taskIds: ['u', 't'], excludedExecutionIds: ['x', 'y'] }),
  ],
  [
    'due',
    ['executions_prioritized', 'executions_ready'],
    (tx) =>
      tx.getTaskExecutionIds({ type: 'by_start_at_less_than', statuses: ['ready'], startAtLessThan: AT }, 5),
  ],
  [
    'recover',
    // Those that say themselves that they run, and those of claims.
    ['executions_ready', 'executions_running'],
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
  ['read ranges', ['executions_pkey'], (tx) => tx.getTaskExecutionsInIdRanges?.([{ from: 'a', to: 'b' }])],
  ['read fields', ['executions_pkey'], (tx) => tx.getTaskExecutionFields?.(['a', 'b'], ['output'])],
  ['read status', ['executions_pkey'], (tx) => tx.getTaskExecutionFields?.(['a', 'b'], ['status'])],
  [
    'touch',
    ['executions_pkey', 'executions_pkey'],
    (tx) => tx.updateTaskExecutions({ ...byIds, statuses: ['running'] }, update),
  ],
  ['lock', ['executions_pkey'], (tx) => tx.lockTaskExecutions?.(['a', 'b'], { isLean: true })],
  [
    // Locked, looked for in the claims, locked once more.
    'lock what a claim names',
    ['executions_pkey', 'executions_pkey', 'executions_pkey', 'executions_pkey'],
    (tx) => tx.lockTaskExecutions?.(['claimed'], { isLean: true }),
  ],
  [
    'settle one',
    ['executions_pkey'],
    (tx) => tx.updateTaskExecutionsBatch?.([{ executionId: 'claimed', ...guard, update }]),
  ],
  [
    'settle many',
    ['executions_pkey', 'executions_pkey'],
    (tx) =>
      tx.updateTaskExecutionsBatch?.([
        { executionId: 'claimed', ...guard, update },
        // Not found, so it is looked for once more.
        { executionId: 'b', ...guard, update: { updatedAt: new Date(2) } },
      ]),
  ],
  [
    'give back',
    ['executions_pkey'],
    (tx) =>
      tx.updateTaskExecutionsBatch?.([
        { executionId: 'claimed', ...guard, update: { ...update, status: 'ready' } },
      ]),
  ],
  [
    'renew',
    ['executions_pkey', 'executions_pkey', 'executions_pkey', 'executions_pkey'],
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
    const { pool, schema, plansOf } = await watched(servers[server])
    for (const text of fill(`${schema}.execution_rows`)) {
      await pool.query(text)
    }
    await pool.query(claimedText(schema))
    const seen: Array<[string, Array<string>]> = []
    for (const [name, , call] of CALLS) {
      const plans = await plansOf(call)
      // A claim that took nothing looks by priority then, which is looked at below.
      const last = plans.findIndex((plan) => plan.includes('with due'))
      const looked = last < 0 ? plans : plans.slice(0, last + 1)
      seen.push([name, looked.flatMap(indexesRead).toSorted()])
    }
    expect(seen).toEqual(CALLS.map(([name, indexes]) => [name, indexes]))
  })

  test.each(STATES)('and in %s a claim steps from priority to priority', async (_, fill) => {
    const { pool, schema, plansOf } = await watched(servers[server])
    for (const text of fill(`${schema}.execution_rows`)) {
      await pool.query(text)
    }
    const { first, taking } = await plansByPriority(plansOf)
    expect(indexesRead(first)).toEqual(['executions_ready', 'executions_ready', 'executions_ready'])
    expect(indexesRead(taking)).toEqual(['executions_pkey'])
    expect(first).toMatch(BY_PRIORITY)
    expect(first).not.toMatch(/Sort|Hash Join|Merge Join/)
  })
})

// One step through the index to each priority, and one to its rows that are due.
const BY_PRIORITY =
  /Index Cond: \(COALESCE\(priority.*\) > COALESCE[^]*Index Cond: \(\(COALESCE\(priority.*\) < level.priority\) AND \(COALESCE[^]*Index Cond: \(\(COALESCE\(priority.*\) = level_1.priority\) AND \(start_at <= .*ROW\(start_at, seq\) > ROW/

type PlansOf = (call: (tx: DurableStorageTx) => unknown) => Promise<Array<string>>

/** A claim that finds nothing that is due without a priority looks by priority, and then takes what it found. */
async function plansByPriority(plansOf: PlansOf): Promise<{ first: string; taking: string }> {
  const plans = await plansOf((tx) =>
    tx.claimTaskExecutions?.({ ...claim, taskIds: ['other'], excludedExecutionIds: [] }),
  )
  const at = plans.findIndex((plan) => plan.includes('with recursive'))
  return { first: plans[at] ?? '', taking: plans[at + 1] ?? '' }
}

test('a claim that goes on where the last one ended begins to read the index there', async () => {
  const { pool, schema, storage, plansOf } = await watched(servers['the newest Postgres'])
  await pool.query(fillText(`${schema}.execution_rows`, 'ready'))
  await storage.withTransaction(
    async (tx) => await tx.claimTaskExecutions?.({ ...claim, excludedExecutionIds: [] }),
    { oneCall: true },
  )
  const plans = await plansOf((tx) => tx.claimTaskExecutions?.({ ...claim, excludedExecutionIds: [] }))
  const due = plans.find((plan) => plan.includes('with due')) ?? ''
  expect(due).toMatch(/Index Cond: .*ROW\(start_at, seq\) > ROW/)
})

type Watched = { pool: Pool; schema: string; storage: PostgresStorage; plansOf: PlansOf }

/** A storage with one connection, which tells the plan of each statement, within functions too. */
async function watched(connectionString: string | undefined): Promise<Watched> {
  const schema = newSchema()
  const pool = new Pool({ connectionString, options: POSTGRES_SESSION_OPTIONS, max: 1 })
  onTestFinished(() => pool.end())
  let plans: Array<string> = []
  pool.on('connect', (client) => {
    client.on('notice', ({ message = '' }) => plans.push(message))
  })
  await pool.query(`load 'auto_explain'`)
  for (const [name, value] of Object.entries(TELLING)) {
    await pool.query(`set ${name} = ${value}`)
  }
  const storage = createPostgresStorage({ pool, schema, hints: false })
  await storage.migrate()
  const plansOf: PlansOf = async (call) => {
    const undone = new Error('undone')
    await storage.withTransaction(async (tx) => await tx.getTaskExecutionIds(byIds))
    plans = []
    const whole = storage.withTransaction(async (tx) => {
      await call(tx)
      throw undone
    })
    await expect(whole).rejects.toBe(undone)
    return plans.filter((plan) => plan.includes('plan:'))
  }
  return { pool, schema, storage, plansOf }
}

const TELLING = {
  'auto_explain.log_min_duration': '0',
  'auto_explain.log_nested_statements': 'on',
  'auto_explain.log_level': 'notice',
  client_min_messages: 'notice',
}

/** A row that a claim names. */
function claimedText(schema: string): string {
  const row = fillText(`${schema}.execution_rows`, 'ready')
    .replace("'te_' || n", "'claimed'")
    .replace('20000', '1')
  return `with made as (${row.replace("'p' || n", 'null')} returning seq, start_at)
    insert into ${schema}.claims (lease_id, executor_id, claimed_at, expires_at, first_start_at, first_seq, last_start_at, last_seq, members)
    select 'l', 'e', 0, 0, start_at, seq, start_at, seq, int8multirange(int8range(seq, seq, '[]')) from made`
}

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

/** How each look at the table is made: the index used, or what was done instead. */
function indexesRead(plan: string): Array<string> {
  return plan
    .split('\n')
    .map(
      (line) =>
        /Index (?:Only )?Scan (?:Backward )?using (executions_\w+)/.exec(line)?.[1] ??
        /((?:Seq|Bitmap Heap) Scan) on execution_rows/.exec(line)?.[1],
    )
    .filter((read) => read !== undefined)
}
