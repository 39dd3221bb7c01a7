/** How SQLite goes about the statements: none of the frequent ones may look at finished, closed rows. */

import { DatabaseSync } from 'node:sqlite'

import { expect, onTestFinished, test, vi } from 'vitest'

import { LIMITS } from '../../base/limits.ts'
import {
  createDurableTaskExecutionStorageObject,
  type DurableTaskExecutionStorageObject,
  FINISHED_STATUSES,
} from '../../machine/execution.ts'
import { type DurableStorageTx } from '../contract.ts'
import { createSqliteStorage } from './index.ts'

const AT = new Date(1_000)
const byIds = { type: 'by_execution_ids' as const, executionIds: ['a', 'b'] }
const update = { updatedAt: AT }
const claim = { taskIds: ['t', 'u'], limit: 5, now: AT, expiresAt: AT, leaseId: 'l', executorId: 'e' }

const CALLS: Array<[name: string, indexes: string, call: (tx: DurableStorageTx) => unknown]> = [
  [
    'due',
    'ready prioritized',
    (tx) =>
      tx.getTaskExecutionIds({ type: 'by_start_at_less_than', statuses: ['ready'], startAtLessThan: AT }, 5),
  ],
  ['ready', 'ready', (tx) => tx.getTaskExecutions({ type: 'by_statuses', statuses: ['ready'] }, 5)],
  [
    'recover',
    'running',
    (tx) => tx.getTaskExecutions({ type: 'by_statuses', statuses: ['running'], expiresAtLessThan: AT }, 5),
  ],
  [
    'unclosed',
    'unclosed',
    (tx) =>
      tx.getTaskExecutions({ type: 'by_statuses', statuses: [...FINISHED_STATUSES], isClosed: false }, 5),
  ],
  [
    'some unclosed',
    'unclosed',
    (tx) =>
      tx.getTaskExecutionIds({ type: 'by_statuses', statuses: ['failed', 'cancelled'], isClosed: false }, 5),
  ],
  [
    'update of unclosed',
    'unclosed',
    (tx) => tx.updateTaskExecutions({ type: 'by_statuses', statuses: ['failed'], isClosed: false }, update),
  ],
  ['below', 'below', (tx) => tx.getTaskExecutionIdsBelow?.('p', 5)],
  ['read by ids', 'by_id', (tx) => tx.getTaskExecutions(byIds)],
  ['read of one', 'by_id', (tx) => tx.getTaskExecutions({ ...byIds, executionIds: ['a'] })],
  ['touch', 'by_id', (tx) => tx.updateTaskExecutions({ ...byIds, statuses: ['running'] }, update)],
  ['lock', 'by_id', (tx) => tx.lockTaskExecutions?.(['a', 'b'], { isLean: true })],
  [
    'settle',
    'by_id',
    (tx) =>
      tx.updateTaskExecutionsBatch?.([{ executionId: 'a', statuses: ['running'], leaseId: 'l', update }]),
  ],
  [
    'renew',
    'by_id',
    (tx) =>
      tx.renewTaskExecutions?.({ leases: [{ executionId: 'a', leaseId: 'l' }], expiresAt: AT, now: AT }),
  ],
]

const STATES: Array<[name: string, prepare: typeof fillAndAnalyse]> = [
  ['an empty database', async () => {}],
  ['an analysed database', fillAndAnalyse],
  ['a database full of suspended executions, analysed', suspendAndAnalyse],
]

test.each(STATES)('in %s each statement goes through the index meant for it', async (_, prepareDatabase) => {
  const database = await open(prepareDatabase)
  for (const [name, indexes, call] of CALLS) {
    const texts = await textsOf(database, call)
    expect([name, ...texts.flatMap((text) => looksOf(database, text).map(indexIn))]).toEqual([
      name,
      ...expectedReads(texts, indexes),
    ])
  }
})

test.each([
  ['an empty database', [], async () => {}],
  ['an empty database but for some', ['x'], async () => {}],
  ['an analysed database', [], fillAndAnalyse],
  ['a database full of suspended executions, analysed', [], suspendAndAnalyse],
])(
  'in %s a claim takes a step to each priority, and one to its rows that are due',
  async (_, excludedExecutionIds, prepareDatabase) => {
    const database = await open(prepareDatabase)
    const texts = await textsOf(database, async (tx) => {
      await tx.insertTaskExecutions([{ ...rowOf('te_of_others'), taskId: 'unknown' }])
      await tx.claimTaskExecutions?.({ ...claim, excludedExecutionIds })
    })
    expect(texts.flatMap((text) => looksOf(database, text))).toEqual([
      'SEARCH durable_execution_executions USING INDEX durable_execution_ready (<expr><?)',
      'SEARCH durable_execution_executions USING INTEGER PRIMARY KEY (rowid=?)',
      'SEARCH durable_execution_executions USING INDEX durable_execution_ready (<expr>=? AND start_at<?)',
    ])
  },
)

test.each(STATES)(
  'in %s what a program before the priorities asks for is found through the index of the same name',
  async (_, prepareDatabase) => {
    const database = await open(prepareDatabase)
    const claimable = `select seq from durable_execution_executions indexed by durable_execution_ready
      where status = 'ready' and start_at <= 1 and task_id in ('t') order by start_at, seq limit 1`
    expect(looksOf(database, claimable).map(indexIn)).toEqual(['durable_execution_ready'])
  },
)

async function open(prepareDatabase: typeof fillAndAnalyse): Promise<DatabaseSync> {
  const database = new DatabaseSync(':memory:')
  onTestFinished(() => database.close())
  const storage = createSqliteStorage({ database })
  await storage.withTransaction(async (tx) => prepareDatabase(database, tx))
  return database
}

/** The statements about executions that the call prepares. */
async function textsOf(
  database: DatabaseSync,
  call: (tx: DurableStorageTx) => unknown,
): Promise<Array<string>> {
  const prepared = vi.spyOn(database, 'prepare')
  // A storage of its own, so that nothing is prepared yet.
  await createSqliteStorage({ database }).withTransaction(async (tx) => await call(tx))
  const texts = prepared.mock.calls.map(([text]) => text).filter((text) => /_executions\b/.test(text))
  prepared.mockRestore()
  return texts
}

// An update by a where clause finds its rows, then goes to each by its place in the table.
function expectedReads([text = '']: Array<string>, indexes: string): Array<string> {
  const found = indexes.split(' ').map((index) => `durable_execution_${index}`)
  return text.includes('where seq in') ? ['INTEGER PRIMARY KEY', ...found] : found
}

/** How each look at the table of executions is made. */
function looksOf(database: DatabaseSync, text: string): Array<string> {
  return database
    .prepare(`explain query plan ${text}`)
    .all()
    .map(({ detail }) => String(detail))
    .filter((detail) => detail.includes('durable_execution_executions'))
}

/** The index used, or SCAN. */
function indexIn(look: string): string {
  const match = /USING (?:COVERING )?INDEX (\w+)|USING (INTEGER PRIMARY KEY)/.exec(look)
  return match?.[1] ?? match?.[2] ?? 'SCAN'
}

function rowOf(executionId: string): DurableTaskExecutionStorageObject {
  return createDurableTaskExecutionStorageObject({
    now: AT,
    taskId: 't',
    executionId,
    retryOptions: { maxAttempts: 0 },
    sleepMsBeforeRun: 0,
    timeoutMs: 1,
    runInput: '',
  })
}

async function fillAndAnalyse(database: DatabaseSync, tx: DurableStorageTx): Promise<void> {
  const rows = Array.from({ length: 2_000 }, (_, index) => ({
    ...rowOf(`te_${index}`),
    status: 'completed' as const,
    isClosed: true,
  }))
  await tx.insertTaskExecutions(rows)
  database.exec('analyze')
}

/** They wait for a signal: ready, and due in a hundred years. */
async function suspendAndAnalyse(database: DatabaseSync, tx: DurableStorageTx): Promise<void> {
  const rows = Array.from({ length: 2_000 }, (_, index) => ({
    ...rowOf(`te_${index}`),
    startAt: new Date(AT.getTime() + LIMITS.delayMs),
    suspendedFor: [{ kind: 'signal' as const, name: 'go', ordinal: 1 }],
  }))
  await tx.insertTaskExecutions(rows)
  database.exec('analyze')
}
