/** Conformance: the optional batch of guarded updates does what single updates would do. */

import assert from 'node:assert/strict'

import {
  type DurableStorage,
  type DurableStorageGuardedUpdate,
  type DurableStorageTx,
} from '../../storage/contract.ts'
import { type ConformanceCase } from './case.ts'
import { call, memberOf } from './member.ts'
import {
  assertIds,
  assertStored,
  at,
  byIds,
  find,
  fullRow,
  openWith,
  type Row,
  rowOf,
  runningRow,
} from './rows.ts'
import { STORAGE_RULES } from './rules.ts'

const needs = ['updateTaskExecutionsBatch'] as const

/** Does with the four operations what the batch does in one call. */
async function updateOneByOne(
  tx: DurableStorageTx,
  updates: Array<DurableStorageGuardedUpdate>,
): Promise<Array<string>> {
  const changed: Array<string> = []
  for (const { executionId, statuses, leaseId, update } of updates) {
    const [row] = await tx.getTaskExecutions(byIds(executionId))
    if (leaseId === undefined || row?.leaseId === leaseId) {
      const where = { ...byIds(executionId), ...(statuses === undefined ? {} : { statuses }) }
      changed.push(...(await tx.updateTaskExecutions(where, update)))
    }
  }
  return changed
}

/** The rows of both names, to be changed in two ways. */
const twice = (suffix: string): Array<Row> => [
  runningRow(`te_done_${suffix}`),
  runningRow(`te_retry_${suffix}`, { output: 'keep' }),
  runningRow(`te_fenced_${suffix}`, { leaseId: 'lease_2' }),
  rowOf(`te_cancelled_${suffix}`, { status: 'cancelled' }),
  rowOf(`te_unleased_${suffix}`),
  fullRow(`te_full_${suffix}`),
  runningRow(`te_untouched_${suffix}`),
]

const mixedUpdates = (suffix: string): Array<DurableStorageGuardedUpdate> => [
  {
    executionId: `te_done_${suffix}`,
    statuses: ['running'],
    leaseId: 'lease_1',
    update: {
      status: 'completed',
      runOutput: 'run',
      output: '',
      isClosed: true,
      finishedAt: at(50),
      unsetExpiresAt: true,
      unsetError: true,
      updatedAt: at(51),
    },
  },
  {
    executionId: `te_retry_${suffix}`,
    statuses: ['running', 'ready'],
    leaseId: 'lease_1',
    update: {
      status: 'ready',
      error: { errorType: 'timed_out', message: 'again', isRetryable: true },
      retryAttempts: 1,
      losses: 0,
      startAt: at(60),
      unsetExpiresAt: true,
      updatedAt: at(52),
    },
  },
  {
    executionId: `te_fenced_${suffix}`,
    statuses: ['running'],
    leaseId: 'lease_1',
    update: { output: 'late', updatedAt: at(53) },
  },
  {
    executionId: `te_cancelled_${suffix}`,
    statuses: ['running'],
    update: { output: 'late', updatedAt: at(53) },
  },
  { executionId: `te_unleased_${suffix}`, leaseId: 'lease_1', update: { output: 'late', updatedAt: at(53) } },
  { executionId: `te_none_${suffix}`, update: { output: 'late', updatedAt: at(53) } },
  {
    executionId: `te_full_${suffix}`,
    update: { childrenTasksCompletedCount: 9, unsetError: false, unsetExpiresAt: true, updatedAt: at(54) },
  },
]

export const batchCases: ReadonlyArray<ConformanceCase> = [
  {
    name: 'a batch of guarded updates leaves the rows as the updates one by one would',
    rule: STORAGE_RULES.updateBatch,
    needs,
    run: async (world) => {
      const storage = await openWith(world, [...twice('a'), ...twice('b')])
      const inBatch = await call(storage, 'updateTaskExecutionsBatch', mixedUpdates('a'))
      const oneByOne = await storage.withTransaction((tx) => updateOneByOne(tx, mixedUpdates('b')))
      assertIds(inBatch, ['te_done_a', 'te_full_a', 'te_retry_a'])
      assertIds(oneByOne, ['te_done_b', 'te_full_b', 'te_retry_b'])
      const nameless = (suffix: string, rows: Array<Row>): Array<Row> =>
        rows
          .filter((row) => row.executionId.endsWith(suffix))
          .map((row) => ({ ...row, executionId: row.executionId.slice(0, -suffix.length) }))
      const rows = await find(storage)
      assert.deepEqual(nameless('_a', rows), nameless('_b', rows))
    },
  },
  guarded(
    'a batched update with statuses changes only a row in one of them',
    { statuses: ['running', 'failed'] },
    ['te_running', 'te_other'],
  ),
  guarded('a batched update with an empty list of statuses changes nothing', { statuses: [] }, []),
  guarded(
    'a batched update with a lease changes only a row that has it, whatever its status',
    { leaseId: 'lease_1' },
    ['te_running', 'te_past'],
  ),
  guarded(
    'a batched update with both guards changes only a row that satisfies both',
    { statuses: ['running'], leaseId: 'lease_1' },
    ['te_running'],
  ),
  guarded('a batched update without guards changes its row', {}, [
    'te_running',
    'te_other',
    'te_past',
    'te_never',
  ]),
  {
    name: 'an empty batch changes nothing',
    rule: STORAGE_RULES.updateBatch,
    needs,
    run: async (world) => {
      const storage = await openWith(world, [rowOf('te_1')])
      assertIds(await call(storage, 'updateTaskExecutionsBatch', []), [])
      await assertStored(storage, [rowOf('te_1')])
    },
  },
  {
    name: 'a batched update leaves fields that are undefined as they are',
    rule: STORAGE_RULES.updateBatch,
    needs,
    run: async (world) => {
      const storage = await openWith(world, [fullRow('te_1'), fullRow('te_2')])
      const undefinedFields: object = {
        output: undefined,
        error: undefined,
        expiresAt: undefined,
        leaseId: undefined,
      }
      await call(storage, 'updateTaskExecutionsBatch', [
        { executionId: 'te_1', update: { ...undefinedFields, updatedAt: at(9) } },
        { executionId: 'te_2', update: { output: 'new', updatedAt: at(9) } },
      ])
      await assertStored(storage, [
        { ...fullRow('te_1'), updatedAt: at(9) },
        { ...fullRow('te_2'), output: 'new', updatedAt: at(9) },
      ])
    },
  },
  {
    name: 'a batch in a transaction that rejects leaves no trace',
    rule: STORAGE_RULES.updateBatch,
    needs,
    run: async (world) => {
      const storage = await openWith(world, twice('a'))
      await assert.rejects(
        storage.withTransaction(async (tx) => {
          await memberOf(tx, 'updateTaskExecutionsBatch')(mixedUpdates('a'))
          throw new Error('undo')
        }),
        /undo/u,
      )
      await assertStored(storage, twice('a'))
    },
  },
]

/** A case that gives every row an update with the guard, and expects it to reach those ids. */
function guarded(
  name: string,
  guard: Partial<DurableStorageGuardedUpdate>,
  ids: Array<string>,
): ConformanceCase {
  const rows = [
    runningRow('te_running'),
    runningRow('te_other', { leaseId: 'lease_2' }),
    runningRow('te_past', { status: 'completed' }),
    rowOf('te_never'),
  ]
  return {
    name,
    rule: STORAGE_RULES.updateBatch,
    needs,
    run: async (world) => {
      const storage: DurableStorage = await openWith(world, rows)
      const updates = rows.map(({ executionId }) => ({
        executionId,
        ...guard,
        update: { output: 'reached', updatedAt: at(9) },
      }))
      assertIds(await call(storage, 'updateTaskExecutionsBatch', updates), ids)
      await assertStored(
        storage,
        rows.map((row) =>
          ids.includes(row.executionId) ? { ...row, output: 'reached', updatedAt: at(9) } : row,
        ),
      )
    },
  }
}
