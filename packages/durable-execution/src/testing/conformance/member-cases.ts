/** Conformance: the optional members that lock, read fields, renew leases and look below a parent. */

import assert from 'node:assert/strict'

import { ALL_STATUSES, isFinishedStatus } from '../../machine/status.ts'
import { type ConformanceCase } from './case.ts'
import { call, memberOf } from './member.ts'
import {
  assertIds,
  assertRow,
  assertRows,
  assertStored,
  at,
  byIds,
  find,
  fullRow,
  openWith,
  type Row,
  rowOf,
  runningRow,
  update,
} from './rows.ts'
import { STORAGE_RULES } from './rules.ts'

const lockCases: ReadonlyArray<ConformanceCase> = [
  {
    name: 'locking reads the rows that exist, each once and whole',
    rule: STORAGE_RULES.lock,
    needs: ['lockTaskExecutions'],
    run: async (world) => {
      const storage = await openWith(world, [fullRow('te_1'), rowOf('te_2'), rowOf('te_3')])
      const ids = ['te_1', 'te_none', 'te_3', 'te_1']
      for (const options of [undefined, {}, { isLean: false }]) {
        const rows = await call(
          storage,
          'lockTaskExecutions',
          ids,
          ...(options === undefined ? [] : [options]),
        )
        assertRows(rows, [fullRow('te_1'), rowOf('te_3')])
      }
      assert.deepEqual(await call(storage, 'lockTaskExecutions', []), [])
      await assertStored(storage, [fullRow('te_1'), rowOf('te_2'), rowOf('te_3')])
    },
  },
  {
    name: 'locking lean leaves out the children, the input and the outputs, and nothing else',
    rule: STORAGE_RULES.lock,
    needs: ['lockTaskExecutions'],
    run: async (world) => {
      const storage = await openWith(world, [fullRow('te_1')])
      const { childrenTasks: _, runInput: __, runOutput: ___, output: ____, ...lean } = fullRow('te_1')
      assertRows(await call(storage, 'lockTaskExecutions', ['te_1'], { isLean: true }), [lean])
    },
  },
  {
    name: 'locking reads what the same transaction has written',
    rule: STORAGE_RULES.lock,
    needs: ['lockTaskExecutions'],
    run: async (world) => {
      const storage = await openWith(world, [rowOf('te_1')])
      await storage.withTransaction(async (tx) => {
        await tx.updateTaskExecutions(byIds('te_1'), { childrenTasksCompletedCount: 3, updatedAt: at(1) })
        await tx.insertTaskExecutions([rowOf('te_2')])
        assertRows(await memberOf(tx, 'lockTaskExecutions')(['te_1', 'te_2']), [
          rowOf('te_1', { childrenTasksCompletedCount: 3, updatedAt: at(1) }),
          rowOf('te_2'),
        ])
      })
    },
  },
]

const fieldCases: ReadonlyArray<ConformanceCase> = [
  {
    name: 'reading a few fields answers them and the id, for each row that exists once',
    rule: STORAGE_RULES.fields,
    needs: ['getTaskExecutionFields'],
    run: async (world) => {
      const full = fullRow('te_1')
      const storage = await openWith(world, [full, rowOf('te_2'), rowOf('te_3')])
      assertRows(
        await call(
          storage,
          'getTaskExecutionFields',
          ['te_2', 'te_1', 'te_none', 'te_1'],
          ['output', 'status', 'startedAt', 'error'],
        ),
        [
          {
            executionId: 'te_1',
            output: full.output,
            status: full.status,
            startedAt: full.startedAt,
            error: full.error,
          },
          { executionId: 'te_2', status: 'ready' },
        ],
      )
      assertRows(await call(storage, 'getTaskExecutionFields', ['te_3'], []), [{ executionId: 'te_3' }])
      assert.deepEqual(await call(storage, 'getTaskExecutionFields', [], ['output']), [])
    },
  },
  {
    name: 'reading every field by name answers what reading the row whole answers',
    rule: STORAGE_RULES.fields,
    needs: ['getTaskExecutionFields'],
    run: async (world) => {
      const storage = await openWith(world, [fullRow('te_1')])
      const [whole] = await find(storage)
      for (const field of Object.keys(fullRow('te_1')) as Array<keyof Row>) {
        const [row] = await call(storage, 'getTaskExecutionFields', ['te_1'], [field])
        assert.deepEqual(row?.[field], whole?.[field], field)
        assertRow(row ?? {}, { executionId: 'te_1', [field]: fullRow('te_1')[field] })
      }
    },
  },
]

const renewCases: ReadonlyArray<ConformanceCase> = [
  {
    name: 'a renewal moves expiresAt of the rows that run under the given lease, and of no others',
    rule: STORAGE_RULES.renew,
    needs: ['renewTaskExecutions'],
    run: async (world) => {
      const rows = [
        runningRow('te_held', { needsPromiseCancellation: true }),
        runningRow('te_lost', { leaseId: 'lease_2' }),
        runningRow('te_unasked'),
        rowOf('te_unleased', { status: 'running', expiresAt: at(7) }),
        ...ALL_STATUSES.filter((status) => status !== 'running').map((status) =>
          runningRow(`te_${status}`, { status }),
        ),
      ]
      const storage = await openWith(world, rows)
      const answer = await call(storage, 'renewTaskExecutions', {
        leases: [...rows.map((row) => row.executionId).filter((id) => id !== 'te_unasked'), 'te_none'].map(
          (executionId) => ({ executionId, leaseId: 'lease_1' }),
        ),
        expiresAt: at(90_000),
        now: at(500),
      })
      assertIds(
        answer.map((renewed) => renewed.executionId),
        ['te_held'],
      )
      assert.notEqual(answer[0]?.isSkipped, true, 'nobody has the row locked')
      await assertStored(
        storage,
        rows.map((row) =>
          row.executionId === 'te_held' ? { ...row, expiresAt: at(90_000), updatedAt: at(500) } : row,
        ),
      )
    },
  },
  {
    name: 'a renewal of no leases changes nothing',
    rule: STORAGE_RULES.renew,
    needs: ['renewTaskExecutions'],
    run: async (world) => {
      const storage = await openWith(world, [runningRow('te_1')])
      assert.deepEqual(
        await call(storage, 'renewTaskExecutions', { leases: [], expiresAt: at(90_000), now: at(500) }),
        [],
      )
      await assertStored(storage, [runningRow('te_1')])
    },
  },
]

const childOf = (parentId: string, executionId: string, fields: Partial<Row> = {}): Row =>
  rowOf(executionId, { parentTask: { taskId: 'parent', executionId: parentId }, ...fields })

const below = (limit: number): [string, number] => ['te_parent', limit]

const belowCases: ReadonlyArray<ConformanceCase> = [
  {
    name: 'below a parent are its children that are active or not closed, its finalize execution too, and no others',
    rule: STORAGE_RULES.below,
    needs: ['getTaskExecutionIdsBelow'],
    run: async (world) => {
      const rows = ALL_STATUSES.flatMap((status) => [
        childOf('te_parent', `te_${status}`, { status }),
        ...(isFinishedStatus(status)
          ? [childOf('te_parent', `te_${status}_closed`, { status, isClosed: true })]
          : []),
      ])
      const finalize = rowOf('te_finalize', {
        parentTask: { taskId: 'parent', executionId: 'te_parent', isFinalizeTask: true },
      })
      const storage = await openWith(world, [
        rowOf('te_parent'),
        ...rows,
        finalize,
        childOf('te_ready', 'te_grandchild'),
        childOf('te_other', 'te_stranger'),
        rowOf('te_alone', { rootTask: { taskId: 'parent', executionId: 'te_parent' } }),
      ])
      const expected = [...ALL_STATUSES.map((status) => `te_${status}`), 'te_finalize']
      assertIds(await call(storage, 'getTaskExecutionIdsBelow', ...below(1_000)), expected)
      assertIds(await call(storage, 'getTaskExecutionIdsBelow', 'te_alone', 10), [])
      assert.equal((await call(storage, 'getTaskExecutionIdsBelow', ...below(4))).length, 4)
    },
  },
  {
    name: 'a child that was finished and closed is no longer below its parent, unless that was undone',
    rule: STORAGE_RULES.below,
    needs: ['getTaskExecutionIdsBelow'],
    run: async (world) => {
      const storage = await openWith(world, [childOf('te_parent', 'te_1'), childOf('te_parent', 'te_2')])
      await update(storage, byIds('te_1'), { status: 'completed', updatedAt: at(1) })
      assertIds(await call(storage, 'getTaskExecutionIdsBelow', ...below(9)), ['te_1', 'te_2'])
      await update(storage, byIds('te_1'), { isClosed: true, updatedAt: at(2) })
      assertIds(await call(storage, 'getTaskExecutionIdsBelow', ...below(9)), ['te_2'])
      await assert.rejects(
        storage.withTransaction(async (tx) => {
          await tx.updateTaskExecutions(byIds('te_2'), { status: 'failed', isClosed: true, updatedAt: at(3) })
          await tx.insertTaskExecutions([childOf('te_parent', 'te_3')])
          assertIds(await memberOf(tx, 'getTaskExecutionIdsBelow')(...below(9)), ['te_3'])
          throw new Error('undo')
        }),
        /undo/u,
      )
      assertIds(await call(storage, 'getTaskExecutionIdsBelow', ...below(9)), ['te_2'])
    },
  },
]

export const memberCases: ReadonlyArray<ConformanceCase> = [
  ...lockCases,
  ...fieldCases,
  ...renewCases,
  ...belowCases,
]
