/** Conformance: what each where clause matches, for reading and for updating alike. */

import assert from 'node:assert/strict'

import { ALL_STATUSES } from '../../machine/status.ts'
import { type ConformanceCase } from './case.ts'
import {
  assertIds,
  assertRows,
  at,
  byIds,
  find,
  findIds,
  fullRow,
  getOne,
  openWith,
  type Row,
  rowOf,
  runningRow,
  update,
  type Where,
} from './rows.ts'
import { STORAGE_RULES } from './rules.ts'

/** A case that reads by each clause, then updates by it, and expects the same ids each time. */
function matching(
  name: string,
  rule: string,
  rows: Array<Row>,
  expectations: Array<[where: Where, ids: Array<string>]>,
): ConformanceCase {
  return {
    name,
    rule,
    run: async (world) => {
      const storage = await openWith(world, rows)
      for (const [where, ids] of expectations) {
        assertIds(await findIds(storage, where), ids)
        assertRows(
          await find(storage, where),
          rows.filter((row) => ids.includes(row.executionId)),
        )
      }
      for (const [where, ids] of expectations) {
        // Touched with its own value, each row stays as the next expectation wants it.
        assertIds(await update(storage, where, { updatedAt: at(0) }), ids)
      }
      assertRows(
        await find(storage),
        rows.map((row) => ({ ...row, updatedAt: at(0) })),
      )
    },
  }
}

const closedRow = (executionId: string, status: Row['status'], isClosed: boolean): Row =>
  rowOf(executionId, { status, isClosed, finishedAt: at(1) })

const leased = (executionId: string, expiresAtMs: number, fields: Partial<Row> = {}): Row =>
  runningRow(executionId, { expiresAt: at(expiresAtMs), ...fields })

export const whereCases: ReadonlyArray<ConformanceCase> = [
  matching(
    'by_execution_ids finds the given ids that exist, each once',
    STORAGE_RULES.get,
    [rowOf('te_1'), rowOf('te_2'), fullRow('te_3')],
    [
      [byIds('te_1'), ['te_1']],
      [byIds('te_3', 'te_1'), ['te_1', 'te_3']],
      [byIds('te_1', 'te_2', 'te_1'), ['te_1', 'te_2']],
      [byIds('te_none', 'te_2'), ['te_2']],
      [byIds('te_none'), []],
    ],
  ),
  matching(
    'by_execution_ids with statuses finds only ids in one of them',
    STORAGE_RULES.where,
    [rowOf('te_1'), runningRow('te_2'), rowOf('te_3', { status: 'cancelled' }), runningRow('te_4')],
    [
      [{ ...byIds('te_1', 'te_2', 'te_3'), statuses: ['running'] }, ['te_2']],
      [{ ...byIds('te_1', 'te_2', 'te_3'), statuses: ['ready', 'cancelled'] }, ['te_1', 'te_3']],
      [{ ...byIds('te_1'), statuses: ['completed'] }, []],
    ],
  ),
  matching(
    'by_execution_ids with needsPromiseCancellation finds only ids that have that value',
    STORAGE_RULES.where,
    [
      rowOf('te_1', { needsPromiseCancellation: true }),
      rowOf('te_2'),
      runningRow('te_3', { needsPromiseCancellation: true }),
    ],
    [
      [{ ...byIds('te_1', 'te_2', 'te_3'), needsPromiseCancellation: true }, ['te_1', 'te_3']],
      [{ ...byIds('te_1', 'te_2', 'te_3'), needsPromiseCancellation: true, statuses: ['running'] }, ['te_3']],
    ],
  ),
  matching(
    'needsPromiseCancellation: false finds only what needs none',
    STORAGE_RULES.where,
    [rowOf('te_1', { needsPromiseCancellation: true }), rowOf('te_2')],
    [[{ ...byIds('te_1', 'te_2'), needsPromiseCancellation: false }, ['te_2']]],
  ),
  matching(
    'each of the ten statuses finds its own rows alone',
    STORAGE_RULES.where,
    ALL_STATUSES.map((status) => rowOf(`te_${status}`, { status })),
    ALL_STATUSES.map((status) => [{ type: 'by_statuses', statuses: [status] }, [`te_${status}`]]),
  ),
  matching(
    'by_statuses finds the rows in any of its statuses, each once',
    STORAGE_RULES.where,
    [rowOf('te_1'), runningRow('te_2'), rowOf('te_3', { status: 'failed' }), rowOf('te_4')],
    [
      [{ type: 'by_statuses', statuses: ['failed', 'ready'] }, ['te_1', 'te_3', 'te_4']],
      [{ type: 'by_statuses', statuses: ['ready', 'ready'] }, ['te_1', 'te_4']],
      [{ type: 'by_statuses', statuses: ['timed_out'] }, []],
    ],
  ),
  matching(
    'by_statuses with isClosed finds only rows that have that value',
    STORAGE_RULES.where,
    [
      closedRow('te_1', 'completed', true),
      closedRow('te_2', 'completed', false),
      closedRow('te_3', 'failed', false),
      closedRow('te_4', 'cancelled', true),
    ],
    [
      [{ type: 'by_statuses', statuses: ['completed'], isClosed: true }, ['te_1']],
      [{ type: 'by_statuses', statuses: ['completed'], isClosed: false }, ['te_2']],
      [{ type: 'by_statuses', statuses: ['completed'] }, ['te_1', 'te_2']],
      [
        { type: 'by_statuses', statuses: ['failed', 'cancelled', 'completed'], isClosed: false },
        ['te_2', 'te_3'],
      ],
    ],
  ),
  matching(
    'expiresAtLessThan finds what expires earlier, to the millisecond, and nothing without expiresAt',
    STORAGE_RULES.where,
    [leased('te_1', 99), leased('te_2', 100), leased('te_3', 101), rowOf('te_4', { status: 'running' })],
    [
      [{ type: 'by_statuses', statuses: ['running'], expiresAtLessThan: at(100) }, ['te_1']],
      [{ type: 'by_statuses', statuses: ['running'], expiresAtLessThan: at(101) }, ['te_1', 'te_2']],
      [{ type: 'by_statuses', statuses: ['running'], expiresAtLessThan: at(99) }, []],
    ],
  ),
  matching(
    'by_statuses finds what satisfies statuses, isClosed and expiresAtLessThan together',
    STORAGE_RULES.where,
    [
      leased('te_1', 1),
      leased('te_2', 1, { isClosed: true }),
      leased('te_3', 1, { status: 'ready' }),
      leased('te_4', 900),
    ],
    [
      [{ type: 'by_statuses', statuses: ['running'], isClosed: false, expiresAtLessThan: at(5) }, ['te_1']],
      [{ type: 'by_statuses', statuses: ['running'], isClosed: true, expiresAtLessThan: at(5) }, ['te_2']],
      [
        { type: 'by_statuses', statuses: ['ready', 'running'], expiresAtLessThan: at(5) },
        ['te_1', 'te_2', 'te_3'],
      ],
    ],
  ),
  matching(
    'by_start_at_less_than finds what starts earlier, to the millisecond, in its statuses',
    STORAGE_RULES.where,
    [
      rowOf('te_1', { startAt: at(-1) }),
      rowOf('te_2', { startAt: at(0) }),
      rowOf('te_3', { startAt: at(1) }),
      runningRow('te_4', { startAt: at(-5) }),
    ],
    [
      [{ type: 'by_start_at_less_than', statuses: ['ready'], startAtLessThan: at(0) }, ['te_1']],
      [{ type: 'by_start_at_less_than', statuses: ['ready'], startAtLessThan: at(1) }, ['te_1', 'te_2']],
      [
        { type: 'by_start_at_less_than', statuses: ['ready', 'running'], startAtLessThan: at(0) },
        ['te_1', 'te_4'],
      ],
      [{ type: 'by_start_at_less_than', statuses: ['ready'], startAtLessThan: at(-1) }, []],
    ],
  ),
  matching(
    'an empty list of ids matches nothing',
    STORAGE_RULES.emptyList,
    [rowOf('te_1'), runningRow('te_2')],
    [
      [byIds(), []],
      [{ ...byIds(), statuses: ['ready'] }, []],
      [{ ...byIds(), needsPromiseCancellation: false }, []],
    ],
  ),
  matching(
    'an empty list of statuses matches nothing',
    STORAGE_RULES.emptyList,
    [rowOf('te_1'), leased('te_2', 1)],
    [
      [{ ...byIds('te_1', 'te_2'), statuses: [] }, []],
      [{ type: 'by_statuses', statuses: [] }, []],
      [{ type: 'by_statuses', statuses: [], isClosed: false }, []],
      [{ type: 'by_statuses', statuses: [], expiresAtLessThan: at(9) }, []],
      [{ type: 'by_start_at_less_than', statuses: [], startAtLessThan: at(9) }, []],
    ],
  ),
  {
    name: 'ids that differ only in case, in spaces or in how a letter is composed are different executions',
    rule: STORAGE_RULES.where,
    run: async (world) => {
      const ids = ['te_a', 'te_A', 'te_a ', ' te_a', 'te_\u00E9', 'te_e\u0301', 'te_%', 'te__', '7', '07']
      const storage = await openWith(
        world,
        ids.map((id) => rowOf(id, { runInput: JSON.stringify(id) })),
      )
      for (const id of ids) {
        assertRows(await find(storage, byIds(id)), [rowOf(id, { runInput: JSON.stringify(id) })])
      }
    },
  },
  {
    name: 'a row that was changed is found by what it is now, within the transaction and after it',
    rule: STORAGE_RULES.where,
    run: async (world) => {
      const storage = await openWith(world, [rowOf('te_1')])
      const now: Array<Where> = [
        { type: 'by_statuses', statuses: ['running'], isClosed: true },
        { type: 'by_statuses', statuses: ['running'], expiresAtLessThan: at(51) },
        { type: 'by_start_at_less_than', statuses: ['running'], startAtLessThan: at(61) },
        { ...byIds('te_1'), statuses: ['running'], needsPromiseCancellation: true },
      ]
      const before: Array<Where> = [
        { type: 'by_statuses', statuses: ['ready'] },
        { type: 'by_statuses', statuses: ['running'], isClosed: false },
        { type: 'by_statuses', statuses: ['running'], expiresAtLessThan: at(50) },
        { type: 'by_start_at_less_than', statuses: ['ready', 'running'], startAtLessThan: at(60) },
        { ...byIds('te_1'), needsPromiseCancellation: false },
      ]
      await storage.withTransaction(async (tx) => {
        await tx.updateTaskExecutions(byIds('te_1'), {
          status: 'running',
          isClosed: true,
          needsPromiseCancellation: true,
          startAt: at(60),
          expiresAt: at(50),
          updatedAt: at(1),
        })
        assert.equal((await getOne(tx, 'te_1')).status, 'running')
        for (const where of now) {
          assertIds(await tx.getTaskExecutionIds(where), ['te_1'])
        }
        for (const where of before) {
          assertIds(await tx.getTaskExecutionIds(where), [])
        }
      })
      for (const where of now) {
        assertIds(await findIds(storage, where), ['te_1'])
      }
      for (const where of before) {
        assertIds(await findIds(storage, where), [])
      }
    },
  },
  {
    name: 'a transaction finds the rows that it has inserted itself',
    rule: STORAGE_RULES.get,
    run: async (world) => {
      const storage = await world.open()
      await storage.withTransaction(async (tx) => {
        await tx.insertTaskExecutions([rowOf('te_1'), leased('te_2', 1)])
        assertIds(await tx.getTaskExecutionIds({ type: 'by_statuses', statuses: ['ready', 'running'] }), [
          'te_1',
          'te_2',
        ])
        assertRows(await tx.getTaskExecutions(byIds('te_1', 'te_2')), [rowOf('te_1'), leased('te_2', 1)])
      })
    },
  },
]
