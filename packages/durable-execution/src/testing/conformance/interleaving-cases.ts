/** Conformance: two connections to one place, one transaction held open while the other begins. */

import assert from 'node:assert/strict'

import { type DurableStorage } from '../../storage/contract.ts'
import { type ConformanceCase } from './case.ts'
import { interleave, isFulfilled, untilCommitted, valueOf } from './interleave.ts'
import { addOne, counted, noPause, openTwice, type Pause, touch } from './rivals.ts'
import { assertRows, assertStored, at, byIds, find, rowOf, runningRow } from './rows.ts'
import { STORAGE_RULES } from './rules.ts'

const needs = ['two_connections'] as const

export const interleavingCases: ReadonlyArray<ConformanceCase> = [
  {
    name: 'what one connection has committed, another reads',
    rule: STORAGE_RULES.isolation,
    needs,
    run: async (world) => {
      const [one, other] = await openTwice(world, [rowOf('te_1')])
      await untilCommitted(other, async (tx) => {
        await tx.updateTaskExecutions(byIds('te_1'), { output: 'by the other', updatedAt: at(1) })
        await tx.insertTaskExecutions([rowOf('te_2')])
      })
      await assertStored(one, [rowOf('te_1', { output: 'by the other', updatedAt: at(1) }), rowOf('te_2')])
    },
  },
  {
    name: 'nothing of a transaction that is open on one connection is seen on another',
    rule: STORAGE_RULES.isolation,
    needs,
    run: async (world) => {
      const [one, other] = await openTwice(world, [rowOf('te_1')])
      const [, seen] = await interleave(
        (pause) =>
          one.withTransaction(async (tx) => {
            await tx.insertTaskExecutions([rowOf('te_2')])
            await tx.updateTaskExecutions(byIds('te_1'), { status: 'failed', updatedAt: at(1) })
            await pause()
            throw new Error('undo')
          }),
        () => find(other),
      )
      if (isFulfilled(seen)) {
        assertRows(seen.value, [rowOf('te_1')])
      }
      await assertStored(other, [rowOf('te_1')])
    },
  },
  {
    name: 'an update of a row that another open transaction has touched waits or fails, and is never lost',
    rule: STORAGE_RULES.locking,
    needs,
    run: async (world) => {
      const [one, other] = await openTwice(world, [rowOf('te_1')])
      const ends = await interleave(
        (pause) => one.withTransaction((tx) => addOne(tx, pause)),
        () => other.withTransaction((tx) => addOne(tx, noPause)),
      )
      const committed = ends.filter(isFulfilled).length
      assert.ok(committed >= 1, 'neither transaction could commit')
      assert.equal(await counted(one), committed)
    },
  },
  {
    name: 'of many transactions on two connections that add one to the same row, none is lost',
    rule: STORAGE_RULES.locking,
    needs,
    run: async (world) => {
      const storages = await openTwice(world, [rowOf('te_1')])
      await Promise.all(
        Array.from({ length: 10 }, () =>
          storages.map((storage) => untilCommitted(storage, (tx) => addOne(tx, noPause))),
        ).flat(),
      )
      assert.equal(await counted(storages[0]), 20)
    },
  },
  ...[true, false].map((isCommitted): ConformanceCase => ({
    name: `a touch without statuses waits for whoever is changing the row, and a later read sees what ${isCommitted ? 'was committed' : 'was there before, if that is undone'}`,
    rule: STORAGE_RULES.locking,
    needs,
    run: async (world) => {
      const [one, other] = await openTwice(world, [runningRow('te_1')])
      const [, seen] = await interleave(
        (pause) =>
          one.withTransaction(async (tx) => {
            await tx.updateTaskExecutions(byIds('te_1'), {
              status: 'completed',
              output: 'out',
              updatedAt: at(1),
            })
            await pause()
            if (!isCommitted) {
              throw new Error('undo')
            }
          }),
        () => untilCommitted(other, (tx) => touch(tx, 'te_1')),
      )
      assert.equal(valueOf(seen)?.status, isCommitted ? 'completed' : 'running')
    },
  })),
  {
    name: 'two transactions that touch the same rows in opposite order both come to an end',
    rule: STORAGE_RULES.locking,
    needs,
    run: async (world) => {
      const [one, other] = await openTwice(world, [rowOf('te_1'), rowOf('te_2')])
      const addToBoth = async (storage: DurableStorage, ids: Array<string>, pause: Pause): Promise<void> => {
        await untilCommitted(storage, async (tx) => {
          for (const id of ids) {
            const row = await touch(tx, id)
            await tx.updateTaskExecutions(byIds(id), {
              retryAttempts: (row?.retryAttempts ?? 0) + 1,
              updatedAt: at(2),
            })
            await pause()
          }
        })
      }
      const ends = await interleave(
        (pause) => addToBoth(one, ['te_1', 'te_2'], pause),
        () => addToBoth(other, ['te_2', 'te_1'], noPause),
      )
      ends.map(valueOf)
      assert.deepEqual(
        (await find(one)).map((row) => row.retryAttempts),
        [2, 2],
      )
    },
  },
  {
    name: 'of two connections that insert the same id at the same time, one wins',
    rule: STORAGE_RULES.insert,
    needs,
    run: async (world) => {
      const [one, other] = await openTwice(world, [])
      const ends = await interleave(
        (pause) =>
          one.withTransaction(async (tx) => {
            await tx.insertTaskExecutions([rowOf('te_1', { runInput: 'one' })])
            await pause()
          }),
        () =>
          other.withTransaction(async (tx) =>
            tx.insertTaskExecutions([rowOf('te_1', { runInput: 'other' })]),
          ),
      )
      assert.equal(ends.filter(isFulfilled).length, 1)
      await assertStored(one, [rowOf('te_1', { runInput: isFulfilled(ends[0]) ? 'one' : 'other' })])
    },
  },
]
