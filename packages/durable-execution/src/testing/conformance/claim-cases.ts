/** Conformance: the optional claim takes what is due, once, and writes the lease. */

import assert from 'node:assert/strict'

import { ALL_STATUSES } from '../../machine/status.ts'
import { type DurableStorageClaim } from '../../storage/contract.ts'
import { type ConformanceCase } from './case.ts'
import { call, memberOf } from './member.ts'
import {
  assertIds,
  assertRows,
  assertStored,
  at,
  findOne,
  fullRow,
  openWith,
  type Row,
  rowOf,
  runningRow,
} from './rows.ts'
import { STORAGE_RULES } from './rules.ts'

export const claimOf = (fields: Partial<DurableStorageClaim> = {}): DurableStorageClaim => ({
  taskIds: ['task'],
  excludedExecutionIds: [],
  limit: 100,
  now: at(1_000),
  expiresAt: at(31_000),
  leaseId: 'lease_new',
  executorId: 'executor_new',
  ...fields,
})

/** The row as a claim leaves it. */
const claimed = (row: Row, { now, expiresAt, leaseId, executorId }: DurableStorageClaim): Row => ({
  ...row,
  status: 'running',
  startedAt: new Date(Math.max(now.getTime(), (row.startedAt?.getTime() ?? Number.NEGATIVE_INFINITY) + 1)),
  expiresAt,
  leaseId,
  executorId,
  updatedAt: now,
})

export const idsOf = (rows: Array<Row>): Array<string> => rows.map((row) => row.executionId)

/** A case that claims once, and expects those ids of the rows, whole and changed as a claim changes them. */
export function taking(
  name: string,
  rows: Array<Row>,
  claim: DurableStorageClaim,
  ids: Array<string>,
): ConformanceCase {
  return {
    name,
    rule: STORAGE_RULES.claim,
    needs: ['claimTaskExecutions'],
    run: async (world) => {
      const storage = await openWith(world, rows)
      const after = rows.map((row) => (ids.includes(row.executionId) ? claimed(row, claim) : row))
      const answer = await call(storage, 'claimTaskExecutions', claim)
      assertRows(
        answer,
        after.filter((row) => ids.includes(row.executionId)),
      )
      for (const row of answer) {
        assert.equal(row.leaseId, claim.leaseId, 'a storage with claims must keep leaseId')
      }
      await assertStored(storage, after)
    },
  }
}

const inStatus = (status: Row['status']): Row => rowOf(`te_${status}`, { status })

export const claimCases: ReadonlyArray<ConformanceCase> = [
  taking('a claim takes ready rows and no others', ALL_STATUSES.map(inStatus), claimOf(), ['te_ready']),
  taking(
    'a claim answers rows whole, and leaves all but the lease as it was',
    [{ ...fullRow('te_1'), status: 'ready' }, rowOf('te_2')],
    claimOf({ taskIds: ['task', 'task_full'] }),
    ['te_1', 'te_2'],
  ),
  taking(
    'a claim takes what is due now, and nothing a millisecond before its time',
    [
      rowOf('te_1', { startAt: at(999) }),
      rowOf('te_2', { startAt: at(1_000) }),
      rowOf('te_3', { startAt: at(1_001) }),
    ],
    claimOf(),
    ['te_1', 'te_2'],
  ),
  taking(
    'a claim takes only executions of the given tasks',
    [
      rowOf('te_1', { taskId: 'a' }),
      rowOf('te_2', { taskId: 'b' }),
      rowOf('te_3', { taskId: 'c' }),
      rowOf('te_4', { taskId: 'A' }),
    ],
    claimOf({ taskIds: ['c', 'a', 'none', 'a'] }),
    ['te_1', 'te_3'],
  ),
  taking(
    'a claim leaves excluded executions, and they do not count towards its limit',
    [rowOf('te_1'), rowOf('te_2'), rowOf('te_3'), rowOf('te_4')],
    claimOf({ excludedExecutionIds: ['te_1', 'te_3', 'te_none'], limit: 2 }),
    ['te_2', 'te_4'],
  ),
  taking(
    'a claim leaves executions that were lost as often as it says or more, and they do not count towards its limit',
    [
      rowOf('te_1', { losses: 2 }),
      rowOf('te_2', { losses: 1 }),
      rowOf('te_3', { losses: 3 }),
      rowOf('te_4', { losses: 0 }),
      rowOf('te_5'),
      rowOf('te_6'),
    ],
    claimOf({ lossesLessThan: 2, limit: 3 }),
    ['te_2', 'te_4', 'te_5'],
  ),
  taking(
    'a claim that says nothing of losses takes executions however often they were lost',
    [rowOf('te_1', { losses: 1_000 }), rowOf('te_2')],
    claimOf(),
    ['te_1', 'te_2'],
  ),
  taking(
    'a claim with a limit takes the earliest of all given tasks',
    [
      rowOf('te_1', { startAt: at(30) }),
      rowOf('te_2', { startAt: at(10), taskId: 'other' }),
      rowOf('te_3', { startAt: at(40), taskId: 'other' }),
      rowOf('te_4', { startAt: at(20) }),
      rowOf('te_5', { startAt: at(5), taskId: 'unknown' }),
    ],
    claimOf({ taskIds: ['task', 'other'], limit: 3 }),
    ['te_1', 'te_2', 'te_4'],
  ),
  taking(
    'a claim gives each row a startedAt later than its last one, whatever the clock says',
    [
      rowOf('te_1', { startedAt: at(5_000) }),
      rowOf('te_2', { startedAt: at(1_000) }),
      rowOf('te_3', { startedAt: at(1) }),
    ],
    claimOf(),
    ['te_1', 'te_2', 'te_3'],
  ),
  taking(
    'a claim that finds nothing due answers nothing',
    [rowOf('te_1', { startAt: at(2_000) })],
    claimOf(),
    [],
  ),
  {
    name: 'a claim answers what a read finds afterwards',
    rule: STORAGE_RULES.claim,
    needs: ['claimTaskExecutions'],
    run: async (world) => {
      const storage = await openWith(world, [{ ...fullRow('te_1'), status: 'ready', taskId: 'task' }])
      const [row] = await call(storage, 'claimTaskExecutions', claimOf())
      assert.deepEqual({ ...row }, { ...(await findOne(storage, 'te_1')) })
    },
  },
  {
    name: 'claims at the same time never take a row twice, and together take all',
    rule: STORAGE_RULES.claim,
    needs: ['claimTaskExecutions'],
    run: async (world) => {
      const rows = Array.from({ length: 50 }, (_, index) => rowOf(`te_${index}`))
      const storage = await openWith(world, rows)
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, index) =>
          call(storage, 'claimTaskExecutions', claimOf({ limit: 7, leaseId: `lease_${index}` })),
        ),
      )
      assertIds(answers.flatMap(idsOf), idsOf(rows))
      for (const row of answers.flat()) {
        assert.equal((await findOne(storage, row.executionId)).leaseId, row.leaseId)
      }
    },
  },
  {
    name: 'a claim in a transaction that rejects leaves the rows ready',
    rule: STORAGE_RULES.claim,
    needs: ['claimTaskExecutions'],
    run: async (world) => {
      const storage = await openWith(world, [rowOf('te_1'), rowOf('te_2', { startedAt: at(3) })])
      await assert.rejects(
        storage.withTransaction(async (tx) => {
          assert.equal((await memberOf(tx, 'claimTaskExecutions')(claimOf())).length, 2)
          throw new Error('undo')
        }),
        /undo/u,
      )
      await assertStored(storage, [rowOf('te_1'), rowOf('te_2', { startedAt: at(3) })])
      assertIds(idsOf(await call(storage, 'claimTaskExecutions', claimOf())), ['te_1', 'te_2'])
    },
  },
  {
    name: 'a row that went back to ready can be claimed again, under another lease',
    rule: STORAGE_RULES.claim,
    needs: ['claimTaskExecutions', 'updateTaskExecutionsBatch'],
    run: async (world) => {
      const storage = await openWith(world, [runningRow('te_1', { startedAt: at(1_000) })])
      await call(storage, 'updateTaskExecutionsBatch', [
        {
          executionId: 'te_1',
          leaseId: 'lease_1',
          update: { status: 'ready', unsetExpiresAt: true, startAt: at(900), updatedAt: at(1) },
        },
      ])
      const [row] = await call(storage, 'claimTaskExecutions', claimOf())
      assert.equal(row?.leaseId, 'lease_new')
      assert.deepEqual(row.startedAt, at(1_001))
    },
  },
]
