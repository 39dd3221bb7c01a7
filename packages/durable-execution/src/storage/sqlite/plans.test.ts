/** How SQLite goes about the statements: none of the frequent ones may look at finished, closed rows. */

import { DatabaseSync } from 'node:sqlite'

import { expect, onTestFinished, test, vi } from 'vitest'

import { createDurableTaskExecutionStorageObject, FINISHED_STATUSES } from '../../machine/execution.ts'
import { type DurableStorageTx } from '../contract.ts'
import { createSqliteStorage } from './index.ts'

const AT = new Date(1_000)
const byIds = { type: 'by_execution_ids' as const, executionIds: ['a', 'b'] }
const update = { updatedAt: AT }
const claim = { taskIds: ['t', 'u'], limit: 5, now: AT, expiresAt: AT, leaseId: 'l', executorId: 'e' }

const CALLS: Array<[name: string, index: string, call: (tx: DurableStorageTx) => unknown]> = [
  ['claim', 'ready', (tx) => tx.claimTaskExecutions?.({ ...claim, excludedExecutionIds: [] })],
  [
    'claim but for some',
    'ready',
    (tx) => tx.claimTaskExecutions?.({ ...claim, excludedExecutionIds: ['x'] }),
  ],
  [
    'due',
    'ready',
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

test.each([
  ['an empty database', () => {}],
  ['an analysed database', fillAndAnalyse],
])('in %s each statement goes through the index meant for it', async (_, prepareDatabase) => {
  const database = new DatabaseSync(':memory:')
  onTestFinished(() => database.close())
  const storage = createSqliteStorage({ database })
  await storage.withTransaction(async (tx) => prepareDatabase(database, tx))
  const prepared = vi.spyOn(database, 'prepare')
  for (const [name, index, call] of CALLS) {
    prepared.mockClear()
    // A storage of its own, so that nothing is prepared yet.
    await createSqliteStorage({ database }).withTransaction(async (tx) => await call(tx))
    const texts = prepared.mock.calls.map(([text]) => text).filter((text) => /_executions\b/.test(text))
    expect([name, ...texts.flatMap((text) => tablesRead(database, text))]).toEqual([
      name,
      ...expectedReads(texts, index),
    ])
  }
})

// An update by a where clause finds its rows, then goes to each by its place in the table.
function expectedReads([text = '']: Array<string>, index: string): Array<string> {
  const found = `durable_execution_${index}`
  return text.includes('where seq in') ? ['INTEGER PRIMARY KEY', found] : [found]
}

/** How each look at the table of executions is made: the index used, or SCAN. */
function tablesRead(database: DatabaseSync, text: string): Array<string> {
  return database
    .prepare(`explain query plan ${text}`)
    .all()
    .map(({ detail }) => String(detail))
    .filter((detail) => detail.includes('durable_execution_executions'))
    .map((detail) => /USING (?:COVERING )?INDEX (\w+)|USING (INTEGER PRIMARY KEY)/.exec(detail))
    .map((match) => match?.[1] ?? match?.[2] ?? 'SCAN')
}

async function fillAndAnalyse(database: DatabaseSync, tx: DurableStorageTx): Promise<void> {
  const rows = Array.from({ length: 2_000 }, (_, index) => ({
    ...createDurableTaskExecutionStorageObject({
      now: AT,
      taskId: 't',
      executionId: `te_${index}`,
      retryOptions: { maxAttempts: 0 },
      sleepMsBeforeRun: 0,
      timeoutMs: 1,
      runInput: '',
    }),
    status: 'completed' as const,
    isClosed: true,
  }))
  await tx.insertTaskExecutions(rows)
  database.exec('analyze')
}
