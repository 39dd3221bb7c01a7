/** Conformance: the optional claim takes the highest priority first. */

import assert from 'node:assert/strict'

import { type ConformanceCase } from './case.ts'
import { claimOf, idsOf, taking } from './claim-cases.ts'
import { call } from './member.ts'
import { at, insert, openWith, rowOf } from './rows.ts'
import { STORAGE_RULES } from './rules.ts'

export const claimPriorityCases: ReadonlyArray<ConformanceCase> = [
  taking(
    'a claim with a limit takes the highest priority first, and no priority is 0',
    [
      rowOf('te_1'),
      rowOf('te_2', { priority: -1 }),
      rowOf('te_3', { priority: 1 }),
      rowOf('te_4', { priority: 0 }),
      rowOf('te_5', { priority: 1_000_000 }),
      rowOf('te_6', { priority: -1_000_000 }),
      rowOf('te_7'),
    ],
    claimOf({ limit: 4 }),
    ['te_5', 'te_3', 'te_1', 'te_4'],
  ),
  taking(
    'a claim with a limit takes the earliest of a priority, whichever tasks they are of',
    [
      rowOf('te_1', { startAt: at(30), priority: 2 }),
      rowOf('te_2', { startAt: at(10), priority: 2, taskId: 'other' }),
      rowOf('te_3', { startAt: at(1), taskId: 'other' }),
      rowOf('te_4', { startAt: at(20), priority: 2 }),
      rowOf('te_5', { startAt: at(5), priority: 3, taskId: 'unknown' }),
      rowOf('te_6', { startAt: at(20), priority: 2 }),
      rowOf('te_7', { startAt: at(2), priority: -2 }),
    ],
    claimOf({ taskIds: ['task', 'other'], limit: 2 }),
    ['te_2', 'te_4'],
  ),
  taking(
    'what has a high priority and is not due, or may not be taken, hides nothing',
    [
      rowOf('te_1', { startAt: at(2_000), priority: 9 }),
      rowOf('te_2', { priority: 8 }),
      rowOf('te_3', { priority: 7, losses: 2 }),
      rowOf('te_4'),
      rowOf('te_5', { priority: -3 }),
    ],
    claimOf({ excludedExecutionIds: ['te_2'], lossesLessThan: 2, limit: 3 }),
    ['te_4', 'te_5'],
  ),
  {
    name: 'a claim answers the highest priority first, of each the earliest, and ties in the order of insertion',
    rule: STORAGE_RULES.claim,
    needs: ['claimTaskExecutions'],
    run: async (world) => {
      const storage = await openWith(world, [
        rowOf('te_g', { priority: -5 }),
        rowOf('te_e', { startAt: at(5) }),
        rowOf('te_b', { startAt: at(7), priority: 5 }),
        rowOf('te_f', { startAt: at(5), taskId: 'other' }),
        rowOf('te_d', { startAt: at(4) }),
        rowOf('te_a', { startAt: at(6), priority: 5, taskId: 'other' }),
        rowOf('te_c', { startAt: at(7), priority: 5 }),
      ])
      const answer = await call(storage, 'claimTaskExecutions', claimOf({ taskIds: ['task', 'other'] }))
      assert.deepEqual(idsOf(answer), ['te_a', 'te_b', 'te_c', 'te_d', 'te_e', 'te_f', 'te_g'])
    },
  },
  {
    name: 'a higher priority that comes while others are taken is taken next',
    rule: STORAGE_RULES.claim,
    needs: ['claimTaskExecutions'],
    run: async (world) => {
      const storage = await openWith(world, [
        ...['te_3', 'te_4', 'te_5', 'te_6'].map((id) => rowOf(id, { priority: -1 })),
        rowOf('te_1'),
        rowOf('te_2'),
      ])
      const take = async (): Promise<Array<string>> =>
        idsOf(await call(storage, 'claimTaskExecutions', claimOf({ limit: 2 })))
      assert.deepEqual(await take(), ['te_1', 'te_2'])
      assert.deepEqual(await take(), ['te_3', 'te_4'])
      await insert(storage, [
        rowOf('te_7'),
        rowOf('te_8', { priority: 4, startAt: at(900) }),
        rowOf('te_9', { priority: 5, startAt: at(900) }),
      ])
      assert.deepEqual(await take(), ['te_9', 'te_8'])
      assert.deepEqual(await take(), ['te_7', 'te_5'])
      assert.deepEqual(await take(), ['te_6'])
    },
  },
]
