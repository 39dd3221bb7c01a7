/** Conformance: in which order rows are answered, and how many. */

import assert from 'node:assert/strict'

import { type ConformanceCase } from './case.ts'
import {
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
  type Where,
} from './rows.ts'
import { STORAGE_RULES } from './rules.ts'

/** A case that reads by the clauses and expects the ids in the given order. */
function ordered(
  name: string,
  rows: Array<Row>,
  expectations: Array<[where: Where, ids: Array<string>]>,
): ConformanceCase {
  return {
    name,
    rule: STORAGE_RULES.order,
    run: async (world) => {
      const storage = await openWith(world, rows)
      for (const [where, ids] of expectations) {
        assert.deepEqual(await findIds(storage, where), ids)
        assert.deepEqual(
          (await find(storage, where)).map((row) => row.executionId),
          ids,
        )
        assert.deepEqual(await findIds(storage, where, 2), ids.slice(0, 2))
        assert.deepEqual(
          (await find(storage, where, 1)).map((row) => row.executionId),
          ids.slice(0, 1),
        )
      }
    },
  }
}

const startingAt = (executionId: string, ms: number, fields: Partial<Row> = {}): Row =>
  rowOf(executionId, { startAt: at(ms), ...fields })

const expiringAt = (executionId: string, ms: number, fields: Partial<Row> = {}): Row =>
  runningRow(executionId, { expiresAt: at(ms), ...fields })

const due = (...statuses: Array<Row['status']>): Where => ({
  type: 'by_start_at_less_than',
  statuses,
  startAtLessThan: at(1_000),
})

export const orderCases: ReadonlyArray<ConformanceCase> = [
  ordered(
    'by_start_at_less_than answers the earliest first, in whatever order and status they are',
    [
      startingAt('te_d', 40),
      startingAt('te_a', 20, { status: 'cancelled' }),
      startingAt('te_c', -9_000_000_000_000),
      startingAt('te_b', 30),
    ],
    [
      [due('ready'), ['te_c', 'te_b', 'te_d']],
      [due('ready', 'cancelled'), ['te_c', 'te_a', 'te_b', 'te_d']],
    ],
  ),
  ordered(
    'rows that start at the same moment are answered in the order of insertion',
    [
      startingAt('te_c', 5),
      startingAt('te_b', 5, { status: 'failed' }),
      startingAt('te_a', 5),
      startingAt('te_d', 4),
    ],
    [[due('failed', 'ready'), ['te_d', 'te_c', 'te_b', 'te_a']]],
  ),
  ordered(
    'by_start_at_less_than answers the earliest first, whatever their priorities',
    [
      startingAt('te_d', 40, { priority: 9 }),
      startingAt('te_b', 20, { priority: -9 }),
      startingAt('te_a', 10),
      startingAt('te_c', 30, { priority: 0 }),
      startingAt('te_g', 50, { priority: 3 }),
      startingAt('te_f', 50),
      startingAt('te_e', 45, { priority: 3, status: 'failed' }),
      startingAt('te_h', 1_000, { priority: 1 }),
    ],
    [
      [due('ready'), ['te_a', 'te_b', 'te_c', 'te_d', 'te_g', 'te_f']],
      [due('ready', 'failed'), ['te_a', 'te_b', 'te_c', 'te_d', 'te_e', 'te_g', 'te_f']],
      [
        { type: 'by_statuses', statuses: ['ready'] },
        ['te_d', 'te_b', 'te_a', 'te_c', 'te_g', 'te_f', 'te_h'],
      ],
    ],
  ),
  ordered(
    'by_statuses with expiresAtLessThan answers the earliest expiresAt first, ties in the order of insertion',
    [
      expiringAt('te_d', 40),
      expiringAt('te_c', 20),
      expiringAt('te_b', 40, { status: 'ready' }),
      expiringAt('te_a', 10, { isClosed: true }),
    ],
    [
      [
        { type: 'by_statuses', statuses: ['running', 'ready'], expiresAtLessThan: at(50) },
        ['te_a', 'te_c', 'te_d', 'te_b'],
      ],
      [
        { type: 'by_statuses', statuses: ['running'], isClosed: false, expiresAtLessThan: at(50) },
        ['te_c', 'te_d'],
      ],
    ],
  ),
  ordered(
    'by_statuses without expiresAtLessThan answers in the order of insertion',
    [
      startingAt('te_d', 3),
      startingAt('te_b', 2, { status: 'failed', isClosed: true }),
      startingAt('te_c', 1),
      startingAt('te_a', 0, { status: 'failed' }),
    ],
    [
      [{ type: 'by_statuses', statuses: ['failed', 'ready'] }, ['te_d', 'te_b', 'te_c', 'te_a']],
      [{ type: 'by_statuses', statuses: ['failed', 'ready'], isClosed: false }, ['te_d', 'te_c', 'te_a']],
    ],
  ),
  ordered(
    'by_execution_ids answers in the order of insertion, not in that of the list',
    [rowOf('te_c'), rowOf('te_a'), rowOf('te_b')],
    [[byIds('te_a', 'te_b', 'te_c'), ['te_c', 'te_a', 'te_b']]],
  ),
  {
    name: 'an update leaves a row at its place in the order of insertion',
    rule: STORAGE_RULES.order,
    run: async (world) => {
      const storage = await openWith(world, [rowOf('te_c'), rowOf('te_a'), rowOf('te_b')])
      await update(storage, byIds('te_c'), { status: 'running', updatedAt: at(1) })
      await update(storage, byIds('te_c'), { status: 'ready', updatedAt: at(2), output: 'x'.repeat(10_000) })
      assert.deepEqual(await findIds(storage, { type: 'by_statuses', statuses: ['ready'] }), [
        'te_c',
        'te_a',
        'te_b',
      ])
    },
  },
  {
    name: 'an update of startAt moves a row in the order of starting',
    rule: STORAGE_RULES.order,
    run: async (world) => {
      const storage = await openWith(world, [
        startingAt('te_a', 1),
        startingAt('te_b', 2),
        startingAt('te_c', 3),
      ])
      await update(storage, byIds('te_a'), { startAt: at(4), updatedAt: at(1) })
      assert.deepEqual(await findIds(storage, due('ready')), ['te_b', 'te_c', 'te_a'])
    },
  },
  ...limitCases(),
]

function limitCases(): Array<ConformanceCase> {
  const clauses: Array<Where> = [
    EVERYTHING,
    byIds('te_1', 'te_2', 'te_3'),
    { type: 'by_statuses', statuses: ['running'], expiresAtLessThan: at(100_000) },
    { type: 'by_start_at_less_than', statuses: ['running'], startAtLessThan: at(100_000) },
  ]
  const limited = (name: string, limits: Array<number | undefined>, count: number): ConformanceCase => ({
    name,
    rule: STORAGE_RULES.limit,
    run: async (world) => {
      const storage = await openWith(world, [runningRow('te_1'), runningRow('te_2'), runningRow('te_3')])
      for (const limit of limits) {
        for (const where of clauses) {
          const message = `${where.type} with limit ${limit}`
          assert.equal((await findIds(storage, where, limit)).length, count, message)
          assert.equal((await find(storage, where, limit)).length, count, message)
        }
      }
    },
  })
  return [
    limited('limit 0 answers nothing', [0], 0),
    limited('a limit answers at most so many', [2], 2),
    limited('a limit that is larger than what matches answers all', [3, 4, 1_000_000_000_000], 3),
    limited('no limit, a negative one and NaN answer all', [undefined, -1, Number.NaN], 3),
  ]
}
