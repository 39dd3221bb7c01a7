/** What an insert that is made again takes for its own: what the first try wrote, and nothing that others did. */

import { expect, test } from 'vitest'

import { createDurableTaskExecutionStorageObject, type ExecutionRow } from '../machine/execution.ts'
import { createInMemoryStorage } from '../storage/memory/in-memory-storage.ts'
import { type KeyedRows } from './keyed.ts'
import { RepeatedInsert } from './repeated-insert.ts'

const rowOf = (executionId: string): ExecutionRow =>
  createDurableTaskExecutionStorageObject({
    now: new Date(1),
    taskId: 'work',
    executionId,
    retryOptions: { maxAttempts: 0 },
    sleepMsBeforeRun: 0,
    timeoutMs: 1_000,
    runInput: '1',
  })

const claimedAs = (executionId: string, leaseId: string | undefined): ExecutionRow => ({
  ...rowOf(executionId),
  status: 'running',
  startedAt: new Date(5),
  expiresAt: new Date(9),
  ...(leaseId === undefined ? {} : { leaseId }),
})

const keyed: KeyedRows = { has: (executionId) => executionId.startsWith('k'), found: () => {} }

/** What of these rows, all claimed under the lease `mine`, is ours where those others are there; and what is there then. */
async function repeat(
  ids: Array<string>,
  there: Array<ExecutionRow>,
): Promise<{ ours: Array<string>; stored: Array<string> }> {
  const claimed = new Map(ids.map((id) => [id, claimedAs(id, 'mine')]))
  return await createInMemoryStorage().withTransaction(async (tx) => {
    await tx.insertTaskExecutions(there)
    const ours = await new RepeatedInsert(ids.map(rowOf), keyed, claimed).insertMissing(tx)
    const stored = await tx.getTaskExecutionIds({ type: 'by_statuses', statuses: ['ready', 'running'] })
    return { ours: [...ours.keys()], stored: stored.toSorted() }
  })
}

test('what nobody wrote is inserted, and is not ours to run', async () => {
  expect(await repeat(['a', 'k1'], [])).toEqual({ ours: [], stored: ['a', 'k1'] })
})

test('what the first try wrote is ours', async () => {
  const there = ['a', 'b', 'k1'].map((id) => claimedAs(id, 'mine'))
  expect(await repeat(['a', 'b', 'k1'], there)).toEqual({ ours: ['a', 'b', 'k1'], stored: ['a', 'b', 'k1'] })
})

test('what a later try wrote is not', async () => {
  expect(await repeat(['a', 'b'], [rowOf('a'), rowOf('b')])).toEqual({ ours: [], stored: ['a', 'b'] })
})

test('what somebody else wrote under a key is theirs, and the rest is inserted', async () => {
  expect(await repeat(['a', 'k1', 'k2'], [claimedAs('k1', 'theirs')])).toEqual({
    ours: [],
    stored: ['a', 'k1', 'k2'],
  })
})

test('without its lease a row under a key is nobody’s, even if it was claimed in the same millisecond', async () => {
  expect((await repeat(['k1'], [claimedAs('k1', undefined)])).ours).toEqual([])
  expect((await repeat(['a'], [claimedAs('a', undefined)])).ours).toEqual(['a'])
})
