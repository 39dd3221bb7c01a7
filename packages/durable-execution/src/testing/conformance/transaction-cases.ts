/** Conformance: transactions are all or nothing, and keep to themselves until they end. */

import assert from 'node:assert/strict'

import { type DurableStorage } from '../../storage/contract.ts'
import { type ConformanceCase } from './case.ts'
import { interleave, untilCommitted, valueOf } from './interleave.ts'
import {
  assertIds,
  assertRows,
  assertStored,
  at,
  byIds,
  find,
  findIds,
  findOne,
  fullRow,
  getOne,
  openWith,
  rowOf,
} from './rows.ts'
import { STORAGE_RULES } from './rules.ts'

const trouble = new Error('trouble on purpose')

/** Adds one to a count as the engine does: touch, read, write. */
async function addOne(storage: DurableStorage, executionId: string): Promise<void> {
  await untilCommitted(storage, async (tx) => {
    assertIds(await tx.updateTaskExecutions(byIds(executionId), { updatedAt: at(1) }), [executionId])
    const row = await getOne(tx, executionId)
    // Others get their chance to come in between.
    await Promise.resolve()
    await tx.updateTaskExecutions(byIds(executionId), {
      childrenTasksCompletedCount: row.childrenTasksCompletedCount + 1,
      updatedAt: at(2),
    })
  })
}

export const transactionCases: ReadonlyArray<ConformanceCase> = [
  {
    name: 'a transaction resolves with what its function resolved with',
    rule: STORAGE_RULES.atomicity,
    run: async (world) => {
      const storage = await world.open()
      const answer = { some: 'answer' }
      assert.equal(await storage.withTransaction(() => Promise.resolve(answer)), answer)
    },
  },
  {
    name: 'a transaction rejects with the error of its function',
    rule: STORAGE_RULES.atomicity,
    run: async (world) => {
      const storage = await world.open()
      await assert.rejects(
        storage.withTransaction(() => Promise.reject(trouble)),
        (thrown) => thrown === trouble,
      )
      await assertStored(storage, [])
    },
  },
  {
    name: 'an insert in a transaction that rejects leaves no trace, and its id is free again',
    rule: STORAGE_RULES.atomicity,
    run: async (world) => {
      const storage = await openWith(world, [rowOf('te_1')])
      await assert.rejects(
        storage.withTransaction(async (tx) => {
          await tx.insertTaskExecutions([rowOf('te_2'), fullRow('te_3')])
          throw trouble
        }),
      )
      await assertStored(storage, [rowOf('te_1')])
      await storage.withTransaction(async (tx) => tx.insertTaskExecutions([rowOf('te_2')]))
      await assertStored(storage, [rowOf('te_1'), rowOf('te_2')])
    },
  },
  {
    name: 'an update in a transaction that rejects leaves no trace, in the row or in what finds it',
    rule: STORAGE_RULES.atomicity,
    run: async (world) => {
      const storage = await openWith(world, [rowOf('te_1'), fullRow('te_2')])
      await assert.rejects(
        storage.withTransaction(async (tx) => {
          await tx.updateTaskExecutions(byIds('te_1', 'te_2'), {
            status: 'running',
            startAt: at(500),
            expiresAt: at(600),
            isClosed: true,
            needsPromiseCancellation: true,
            unsetError: true,
            childrenTasks: [],
            updatedAt: at(700),
          })
          await tx.updateTaskExecutions(byIds('te_2'), {
            unsetExpiresAt: true,
            output: '',
            updatedAt: at(800),
          })
          throw trouble
        }),
      )
      await assertStored(storage, [rowOf('te_1'), fullRow('te_2')])
      assertIds(await findIds(storage, { type: 'by_statuses', statuses: ['running'] }), [])
      assertIds(
        await findIds(storage, { type: 'by_statuses', statuses: ['running'], expiresAtLessThan: at(9_999) }),
        [],
      )
      assertIds(
        await findIds(storage, {
          type: 'by_start_at_less_than',
          statuses: ['ready'],
          startAtLessThan: at(1),
        }),
        ['te_1'],
      )
      assertIds(
        await findIds(storage, {
          type: 'by_statuses',
          statuses: ['finalize_task_failed'],
          expiresAtLessThan: at(5),
        }),
        ['te_2'],
      )
    },
  },
  {
    name: 'a transaction that inserts, updates and inserts again is undone as a whole',
    rule: STORAGE_RULES.atomicity,
    run: async (world) => {
      const storage = await openWith(world, [rowOf('te_1')])
      await assert.rejects(
        storage.withTransaction(async (tx) => {
          await tx.insertTaskExecutions([rowOf('te_2')])
          await tx.updateTaskExecutions(byIds('te_1', 'te_2'), { status: 'running', updatedAt: at(1) })
          await tx.insertTaskExecutions([rowOf('te_3')])
          await tx.updateTaskExecutions(
            { type: 'by_statuses', statuses: ['ready', 'running'] },
            { updatedAt: at(2) },
          )
          throw trouble
        }),
      )
      await assertStored(storage, [rowOf('te_1')])
    },
  },
  {
    name: 'a transaction that fails at its last insert keeps nothing of what it did before',
    rule: STORAGE_RULES.atomicity,
    run: async (world) => {
      const storage = await openWith(world, [rowOf('te_1')])
      await assert.rejects(
        storage.withTransaction(async (tx) => {
          await tx.updateTaskExecutions(byIds('te_1'), { status: 'running', updatedAt: at(1) })
          await tx.insertTaskExecutions([rowOf('te_2')])
          await tx.insertTaskExecutions([rowOf('te_3'), rowOf('te_1')])
        }),
      )
      await assertStored(storage, [rowOf('te_1')])
    },
  },
  {
    name: 'a transaction of one call, with the hint that says so, is all or nothing too',
    rule: STORAGE_RULES.atomicity,
    run: async (world) => {
      const storage = await openWith(world, [rowOf('te_1')])
      await assert.rejects(
        storage.withTransaction(async (tx) => tx.insertTaskExecutions([rowOf('te_2'), rowOf('te_1')]), {
          oneCall: true,
        }),
      )
      await storage.withTransaction(async (tx) => tx.insertTaskExecutions([rowOf('te_3'), rowOf('te_4')]), {
        oneCall: true,
      })
      const ids = await storage.withTransaction(
        async (tx) =>
          await tx.updateTaskExecutions(byIds('te_1', 'te_3'), { output: 'out', updatedAt: at(1) }),
        { oneCall: true },
      )
      assertIds(ids, ['te_1', 'te_3'])
      await assertStored(storage, [
        rowOf('te_1', { output: 'out', updatedAt: at(1) }),
        rowOf('te_3', { output: 'out', updatedAt: at(1) }),
        rowOf('te_4'),
      ])
    },
  },
  {
    name: 'nothing of an open transaction is seen by another, and nothing at all if it then rejects',
    rule: STORAGE_RULES.isolation,
    run: async (world) => {
      const storage = await openWith(world, [rowOf('te_1')])
      const [, seen] = await interleave(
        (pause) =>
          storage.withTransaction(async (tx) => {
            await tx.insertTaskExecutions([rowOf('te_2')])
            await tx.updateTaskExecutions(byIds('te_1'), {
              status: 'failed',
              output: 'dirty',
              updatedAt: at(1),
            })
            await pause()
            throw trouble
          }),
        () => find(storage),
      )
      assertRows(valueOf(seen), [rowOf('te_1')])
      await assertStored(storage, [rowOf('te_1')])
    },
  },
  {
    name: 'of a transaction that commits another one sees all or nothing in one read',
    rule: STORAGE_RULES.isolation,
    run: async (world) => {
      const storage = await openWith(world, [rowOf('te_1'), rowOf('te_2')])
      const [, seen] = await interleave(
        (pause) =>
          storage.withTransaction(async (tx) => {
            await tx.updateTaskExecutions(byIds('te_1'), { output: 'new', updatedAt: at(1) })
            await pause()
            await tx.updateTaskExecutions(byIds('te_2'), { output: 'new', updatedAt: at(1) })
          }),
        () => find(storage),
      )
      const outputs = new Set(valueOf(seen).map((row) => row.output))
      assert.equal(outputs.size, 1, 'one row was read as it was before, the other as it is after')
    },
  },
  {
    name: 'fifty transactions at a time are kept or undone each by itself',
    rule: STORAGE_RULES.atomicity,
    run: async (world) => {
      const storage = await world.open()
      const numbers = Array.from({ length: 50 }, (_, index) => index)
      const isKept = (index: number): boolean => index % 3 !== 0
      const ends = await Promise.allSettled(
        numbers.map((index) =>
          storage.withTransaction(async (tx) => {
            await tx.insertTaskExecutions([rowOf(`te_${index}_a`), rowOf(`te_${index}_b`)])
            await Promise.resolve()
            await tx.updateTaskExecutions(byIds(`te_${index}_a`), { status: 'running', updatedAt: at(index) })
            if (!isKept(index)) {
              throw trouble
            }
          }),
        ),
      )
      for (const [index, end] of ends.entries()) {
        assert.equal(end.status, isKept(index) ? 'fulfilled' : 'rejected')
      }
      await assertStored(
        storage,
        numbers
          .filter(isKept)
          .flatMap((index) => [
            rowOf(`te_${index}_a`, { status: 'running', updatedAt: at(index) }),
            rowOf(`te_${index}_b`),
          ]),
      )
    },
  },
  {
    name: 'of twenty transactions that touch, read and add one at a time, none is lost',
    rule: STORAGE_RULES.locking,
    run: async (world) => {
      const storage = await openWith(world, [rowOf('te_1')])
      await Promise.all(Array.from({ length: 20 }, () => addOne(storage, 'te_1')))
      assert.equal((await findOne(storage, 'te_1')).childrenTasksCompletedCount, 20)
    },
  },
  {
    name: 'of many transactions at a time that insert the same id, one wins',
    rule: STORAGE_RULES.insert,
    run: async (world) => {
      const storage = await world.open()
      const ends = await Promise.allSettled(
        Array.from({ length: 10 }, (_, index) =>
          storage.withTransaction(async (tx) =>
            tx.insertTaskExecutions([rowOf('te_1', { runInput: `${index}` })]),
          ),
        ),
      )
      const winners = ends.flatMap((end, index) => (end.status === 'fulfilled' ? [index] : []))
      assert.equal(winners.length, 1)
      await assertStored(storage, [rowOf('te_1', { runInput: `${winners[0]}` })])
    },
  },
]
