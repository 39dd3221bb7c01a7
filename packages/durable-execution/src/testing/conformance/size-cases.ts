/** Conformance: calls that carry ten thousand rows or ids. */

import assert from 'node:assert/strict'

import { type ConformanceCase } from './case.ts'
import { claimOf } from './claim-cases.ts'
import { call } from './member.ts'
import {
  assertIds,
  assertRows,
  assertStored,
  at,
  byIds,
  EVERYTHING,
  find,
  findIds,
  openWith,
  type Row,
  rowOf,
  runningRow,
  update,
} from './rows.ts'
import { STORAGE_RULES } from './rules.ts'

const COUNT = 10_000

const manyRows = (make: (id: string, index: number) => Row): Array<Row> =>
  Array.from({ length: COUNT }, (_, index) => make(`te_${index}`, index))

const idsOf = (rows: Array<{ executionId: string }>): Array<string> => rows.map((row) => row.executionId)

const oneAnother = (id: string, index: number): Row =>
  rowOf(id, {
    runInput: `${index}`,
    ...(index % 2 === 0 ? { output: `${index}` } : {}),
    startAt: at(index % 100),
  })

export const sizeCases: ReadonlyArray<ConformanceCase> = [
  {
    name: '10,000 rows can be inserted in one call and read in one call',
    rule: STORAGE_RULES.size,
    run: async (world) => {
      const rows = manyRows(oneAnother)
      const storage = await openWith(world, rows)
      assertRows(await find(storage, byIds(...idsOf(rows))), rows)
      assert.equal((await findIds(storage, EVERYTHING)).length, COUNT)
    },
  },
  {
    name: '10,000 rows of which the last exists already are all refused',
    rule: STORAGE_RULES.size,
    run: async (world) => {
      const rows = manyRows(oneAnother)
      const storage = await openWith(world, rows.slice(-1))
      await assert.rejects(storage.withTransaction(async (tx) => tx.insertTaskExecutions(rows)))
      await assertStored(storage, rows.slice(-1))
    },
  },
  {
    name: '10,000 ids can be updated in one call',
    rule: STORAGE_RULES.size,
    run: async (world) => {
      const rows = manyRows(oneAnother)
      const storage = await openWith(world, rows)
      const where = {
        ...byIds(...idsOf(rows)),
        statuses: ['ready' as const],
        needsPromiseCancellation: false,
      }
      assertIds(await update(storage, where, { status: 'cancelled', updatedAt: at(1) }), idsOf(rows))
      await assertStored(
        storage,
        rows.map((row) => ({ ...row, status: 'cancelled' as const, updatedAt: at(1) })),
      )
    },
  },
  {
    name: '10,000 rows can be claimed in one call',
    rule: STORAGE_RULES.size,
    needs: ['claimTaskExecutions'],
    run: async (world) => {
      const rows = manyRows(oneAnother)
      const storage = await openWith(world, rows)
      const excludedExecutionIds = idsOf(rows.slice(0, 5_000))
      const claim = claimOf({ limit: COUNT, excludedExecutionIds })
      assertIds(idsOf(await call(storage, 'claimTaskExecutions', claim)), idsOf(rows.slice(5_000)))
      assertIds(
        idsOf(await call(storage, 'claimTaskExecutions', claimOf({ limit: COUNT }))),
        excludedExecutionIds,
      )
    },
  },
  {
    name: '10,000 guarded updates can be made in one call',
    rule: STORAGE_RULES.size,
    needs: ['updateTaskExecutionsBatch'],
    run: async (world) => {
      const rows = manyRows((id) => runningRow(id))
      const storage = await openWith(world, rows)
      const changed = rows.map((row, index): Row => ({ ...row, output: `${index}`, updatedAt: at(index) }))
      const answer = await call(
        storage,
        'updateTaskExecutionsBatch',
        changed.map(({ executionId, output = '', updatedAt }) => ({
          executionId,
          statuses: ['running'],
          leaseId: 'lease_1',
          update: { output, updatedAt },
        })),
      )
      assertIds(answer, idsOf(rows))
      await assertStored(storage, changed)
    },
  },
  {
    name: '10,000 rows can be locked in one call',
    rule: STORAGE_RULES.size,
    needs: ['lockTaskExecutions'],
    run: async (world) => {
      const rows = manyRows(oneAnother)
      const storage = await openWith(world, rows)
      assertIds(idsOf(await call(storage, 'lockTaskExecutions', idsOf(rows), { isLean: true })), idsOf(rows))
    },
  },
  {
    name: 'a field of 10,000 rows can be read in one call',
    rule: STORAGE_RULES.size,
    needs: ['getTaskExecutionFields'],
    run: async (world) => {
      const rows = manyRows(oneAnother)
      const storage = await openWith(world, rows)
      assertRows(
        await call(storage, 'getTaskExecutionFields', idsOf(rows), ['runInput']),
        rows.map(({ executionId, runInput }) => ({ executionId, runInput })),
      )
    },
  },
  {
    name: '10,000 leases can be renewed in one call',
    rule: STORAGE_RULES.size,
    needs: ['renewTaskExecutions'],
    run: async (world) => {
      const rows = manyRows((id) => runningRow(id))
      const storage = await openWith(world, rows)
      const leases = rows.map(({ executionId }) => ({ executionId, leaseId: 'lease_1' }))
      const answer = await call(storage, 'renewTaskExecutions', { leases, expiresAt: at(99_000), now: at(1) })
      assertIds(idsOf(answer), idsOf(rows))
    },
  },
]
