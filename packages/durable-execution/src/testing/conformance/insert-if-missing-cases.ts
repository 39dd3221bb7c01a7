/** Conformance: the optional insert of what is missing, alone and against another connection. */

import assert from 'node:assert/strict'

import { type ConformanceCase } from './case.ts'
import { interleave, untilCommitted, valueOf } from './interleave.ts'
import { call, memberOf } from './member.ts'
import { openTwice } from './rivals.ts'
import { assertIds, assertRow, assertStored, at, byIds, fullRow, getOne, openWith, rowOf } from './rows.ts'
import { STORAGE_RULES } from './rules.ts'

const rule = STORAGE_RULES.insertIfMissing
const needs = ['insertTaskExecutionsIfMissing'] as const
const twice = ['two_connections', 'insertTaskExecutionsIfMissing'] as const

const COUNT = 10_000

const mine = rowOf('te_1', { runInput: 'mine' })
const theirs = rowOf('te_1', { runInput: 'theirs' })

export const insertIfMissingCases: ReadonlyArray<ConformanceCase> = [
  {
    name: 'of the rows those are inserted whose id is missing, and the others stay as they were',
    rule,
    needs,
    run: async (world) => {
      const storage = await openWith(world, [theirs, fullRow('te_3')])
      const given = [fullRow('te_2'), mine, rowOf('te_3'), rowOf('te_4', { output: '4' })]
      assertIds(await call(storage, 'insertTaskExecutionsIfMissing', given), ['te_2', 'te_4'])
      await assertStored(storage, [theirs, fullRow('te_3'), fullRow('te_2'), rowOf('te_4', { output: '4' })])
    },
  },
  {
    name: 'where no row is missing, and where none is given, nothing changes',
    rule,
    needs,
    run: async (world) => {
      const storage = await openWith(world, [theirs, rowOf('te_2')])
      assert.deepEqual(await call(storage, 'insertTaskExecutionsIfMissing', [mine, fullRow('te_2')]), [])
      assert.deepEqual(await call(storage, 'insertTaskExecutionsIfMissing', []), [])
      await assertStored(storage, [theirs, rowOf('te_2')])
    },
  },
  {
    name: 'what is inserted if missing can be read and changed by the same transaction, which goes on',
    rule,
    needs,
    run: async (world) => {
      const storage = await openWith(world, [theirs])
      await storage.withTransaction(async (tx) => {
        await tx.insertTaskExecutions([rowOf('te_2')])
        const given = [mine, fullRow('te_2'), rowOf('te_3')]
        assertIds(await memberOf(tx, 'insertTaskExecutionsIfMissing')(given), ['te_3'])
        assertRow(await getOne(tx, 'te_1'), theirs)
        assertIds(
          await tx.updateTaskExecutions(byIds('te_1', 'te_2', 'te_3'), { output: 'new', updatedAt: at(1) }),
          ['te_1', 'te_2', 'te_3'],
        )
      })
      const changed = { output: 'new', updatedAt: at(1) }
      await assertStored(storage, [{ ...theirs, ...changed }, rowOf('te_2', changed), rowOf('te_3', changed)])
    },
  },
  {
    name: 'what is inserted if missing is undone with its transaction',
    rule,
    needs,
    run: async (world) => {
      const storage = await openWith(world, [theirs])
      await assert.rejects(
        storage.withTransaction(async (tx) => {
          await memberOf(tx, 'insertTaskExecutionsIfMissing')([mine, rowOf('te_2')])
          throw new Error('undo')
        }),
        /undo/u,
      )
      await assertStored(storage, [theirs])
    },
  },
  {
    name: '10,000 rows can be inserted if missing in one call',
    rule,
    needs,
    run: async (world) => {
      const rows = Array.from({ length: COUNT }, (_, index) => rowOf(`te_${index}`, { runInput: `${index}` }))
      const storage = await openWith(
        world,
        rows.filter((_, index) => index % 2 === 0),
      )
      assertIds(
        await call(storage, 'insertTaskExecutionsIfMissing', rows),
        rows.filter((_, index) => index % 2 === 1).map((row) => row.executionId),
      )
      assert.equal(
        (
          await storage.withTransaction(
            async (tx) => await tx.getTaskExecutionIds(byIds(...rows.map((row) => row.executionId))),
          )
        ).length,
        COUNT,
      )
    },
  },
  {
    name: 'of two connections that insert the same id if it is missing one does, and the other reads that row',
    rule,
    needs: twice,
    run: async (world) => {
      const [one, other] = await openTwice(world, [])
      const [first, second] = await interleave(
        (pause) =>
          untilCommitted(one, async (tx) => {
            const ids = await memberOf(tx, 'insertTaskExecutionsIfMissing')([theirs])
            await pause()
            return ids
          }),
        () =>
          untilCommitted(other, async (tx) => {
            const ids = await memberOf(tx, 'insertTaskExecutionsIfMissing')([mine, rowOf('te_2')])
            return { ids, row: await getOne(tx, 'te_1') }
          }),
      )
      assertIds(valueOf(first), ['te_1'])
      assertIds(valueOf(second).ids, ['te_2'])
      assertRow(valueOf(second).row, theirs)
      await assertStored(one, [theirs, rowOf('te_2')])
    },
  },
  {
    name: 'where the other connection undoes its insert, the row is missing and is inserted',
    rule,
    needs: twice,
    run: async (world) => {
      const [one, other] = await openTwice(world, [])
      const [, second] = await interleave(
        (pause) =>
          one.withTransaction(async (tx) => {
            await tx.insertTaskExecutions([theirs])
            await pause()
            throw new Error('undo')
          }),
        () =>
          untilCommitted(other, async (tx) => await memberOf(tx, 'insertTaskExecutionsIfMissing')([mine])),
      )
      assertIds(valueOf(second), ['te_1'])
      await assertStored(one, [mine])
    },
  },
]
