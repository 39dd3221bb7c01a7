/** Conformance: the update with a limit does its work on this storage. */

import assert from 'node:assert/strict'

import { type DurableStorageTx } from '../../storage/contract.ts'
import { updateTaskExecutionsWithLimit } from '../../storage/contract-with-limit.ts'
import { type ConformanceCase } from './case.ts'
import {
  assertIds,
  assertStored,
  at,
  byIds,
  openWith,
  rowOf,
  runningRow,
  type Update,
  type Where,
} from './rows.ts'
import { STORAGE_RULES } from './rules.ts'

const change: Update = { output: 'changed', updatedAt: at(1) }

const READY: Where = { type: 'by_statuses', statuses: ['ready'] }

/** The transaction, in which the rows that a search for ids finds are changed before it answers. */
function changingWhatIsFound(tx: DurableStorageTx, executionId: string, meanwhile: Update): DurableStorageTx {
  return {
    ...tx,
    getTaskExecutionIds: async (where, limit) => {
      const found = await tx.getTaskExecutionIds(where, limit)
      await tx.updateTaskExecutions(byIds(executionId), meanwhile)
      return found
    },
  }
}

export const updateWithLimitCases: ReadonlyArray<ConformanceCase> = [
  {
    name: 'an update with a limit changes at most so many of the rows that match',
    rule: STORAGE_RULES.updateWithLimit,
    run: async (world) => {
      const storage = await openWith(world, [runningRow('te_0'), rowOf('te_1'), rowOf('te_2'), rowOf('te_3')])
      const ids = await storage.withTransaction((tx) => updateTaskExecutionsWithLimit(tx, READY, change, 2))
      assert.equal(ids.length, 2)
      await assertStored(storage, [
        runningRow('te_0'),
        ...['te_1', 'te_2', 'te_3'].map((id) => rowOf(id, ids.includes(id) ? change : {})),
      ])
    },
  },
  {
    name: 'an update with limit 0 changes nothing, and one with a negative limit, NaN or none everything',
    rule: STORAGE_RULES.updateWithLimit,
    run: async (world) => {
      const storage = await openWith(world, [rowOf('te_1'), rowOf('te_2')])
      await storage.withTransaction(async (tx) => {
        assertIds(await updateTaskExecutionsWithLimit(tx, READY, change, 0), [])
        for (const limit of [-1, Number.NaN, undefined]) {
          assertIds(await updateTaskExecutionsWithLimit(tx, READY, { updatedAt: at(2) }, limit), [
            'te_1',
            'te_2',
          ])
        }
      })
      await assertStored(storage, [rowOf('te_1', { updatedAt: at(2) }), rowOf('te_2', { updatedAt: at(2) })])
    },
  },
  {
    name: 'an update with a limit leaves a row that no longer has one of the statuses',
    rule: STORAGE_RULES.updateWithLimit,
    run: async (world) => {
      const storage = await openWith(world, [rowOf('te_1'), rowOf('te_2')])
      const ids = await storage.withTransaction((tx) =>
        updateTaskExecutionsWithLimit(
          changingWhatIsFound(tx, 'te_1', { status: 'cancelled', updatedAt: at(0) }),
          READY,
          change,
          2,
        ),
      )
      assertIds(ids, ['te_2'])
      await assertStored(storage, [rowOf('te_1', { status: 'cancelled' }), rowOf('te_2', change)])
    },
  },
  {
    name: 'an update with a limit leaves a row whose needsPromiseCancellation no longer matches',
    rule: STORAGE_RULES.updateWithLimit,
    run: async (world) => {
      const storage = await openWith(world, [rowOf('te_1'), rowOf('te_2')])
      const where = { ...byIds('te_1', 'te_2'), needsPromiseCancellation: false }
      const ids = await storage.withTransaction((tx) =>
        updateTaskExecutionsWithLimit(
          changingWhatIsFound(tx, 'te_1', { needsPromiseCancellation: true, updatedAt: at(0) }),
          where,
          change,
          2,
        ),
      )
      assertIds(ids, ['te_2'])
      await assertStored(storage, [rowOf('te_1', { needsPromiseCancellation: true }), rowOf('te_2', change)])
    },
  },
]
