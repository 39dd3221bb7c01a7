/** Conformance: a transaction that code of the user's shares is all or nothing, whoever wrote in it. */

import assert from 'node:assert/strict'

import { DurableExecutionError } from '../../base/errors.ts'
import { type DurableStorage, type DurableStorageTx } from '../../storage/contract.ts'
import { type ConformanceCase, type ConformanceWorld } from './case.ts'
import { interleave, isFulfilled, valueOf } from './interleave.ts'
import { assertStored, at, byIds, findOne, getOne, openWith, rowOf } from './rows.ts'
import { STORAGE_RULES } from './rules.ts'

const trouble = new Error('trouble on purpose')

/** Shares a transaction of the storage, which must be able to. */
async function share<T>(
  storage: DurableStorage,
  use: (transaction: object) => Promise<T>,
  keep: (tx: DurableStorageTx, value: T) => Promise<void>,
): Promise<T> {
  assert.ok(storage.shareTransaction, 'the storage has no shareTransaction')
  return await storage.shareTransaction(use, keep)
}

/** A case in one transaction after the other, on a storage in which there is one row. */
function shareCase(
  name: string,
  run: (storage: DurableStorage, world: ConformanceWorld) => Promise<void>,
): ConformanceCase {
  return {
    name,
    rule: STORAGE_RULES.share,
    needs: ['shareTransaction'],
    run: async (world) => await run(await openWith(world, [rowOf('te_1')]), world),
  }
}

const insertTwo = async (tx: DurableStorageTx): Promise<void> => {
  await tx.insertTaskExecutions([rowOf('te_2')])
}

export const shareCases: ReadonlyArray<ConformanceCase> = [
  shareCase(
    'a shared transaction gives what its first function gave, to the second and in the end',
    async (storage) => {
      const answer = { some: 'answer' }
      let given: unknown
      const ended = await share(
        storage,
        (transaction) => {
          assert.equal(typeof transaction, 'object')
          return Promise.resolve(answer)
        },
        async (tx, value) => {
          given = value
          await insertTwo(tx)
          await tx.updateTaskExecutions(byIds('te_1'), { childrenTasksCompletedCount: 1, updatedAt: at(1) })
        },
      )
      assert.equal(ended, answer)
      assert.equal(given, answer)
      await assertStored(storage, [
        rowOf('te_1', { childrenTasksCompletedCount: 1, updatedAt: at(1) }),
        rowOf('te_2'),
      ])
    },
  ),

  shareCase(
    'a shared transaction whose first function rejects rejects with that error, and the second is not called',
    async (storage) => {
      await assert.rejects(
        share(storage, async () => await Promise.reject(trouble), insertTwo),
        (thrown) => thrown === trouble,
      )
      await assertStored(storage, [rowOf('te_1')])
    },
  ),

  shareCase(
    'a shared transaction whose second function rejects rejects with that error, and leaves no trace',
    async (storage) => {
      await assert.rejects(
        share(
          storage,
          () => Promise.resolve(1),
          async (tx) => {
            await insertTwo(tx)
            throw trouble
          },
        ),
        (thrown) => thrown === trouble,
      )
      await assertStored(storage, [rowOf('te_1')])
    },
  ),

  shareCase(
    'what joins a shared transaction is kept or lost with it, and refused when it has ended',
    async (storage) => {
      if (storage.joinTransaction === undefined) {
        return
      }
      const shared: Array<object> = []
      const writeInto = async (transaction: object, id: string): Promise<void> => {
        const joined = await storage.joinTransaction?.(transaction)
        await joined?.insertTaskExecutions([rowOf(id)])
      }
      const use =
        (id: string) =>
        async (transaction: object): Promise<void> => {
          shared.push(transaction)
          await writeInto(transaction, id)
        }
      await share(storage, use('te_2'), async () => {
        await assert.rejects(writeInto(shared[0] ?? {}, 'te_late'))
      })
      await assert.rejects(share(storage, use('te_3'), async () => await Promise.reject(trouble)))
      for (const transaction of shared) {
        await assert.rejects(writeInto(transaction, 'te_late'), DurableExecutionError)
      }
      await assertStored(storage, [rowOf('te_1'), rowOf('te_2')])
    },
  ),

  shareCase('shared transactions and others at a time are kept or undone each by itself', async (storage) => {
    const ended = await Promise.allSettled(
      Array.from({ length: 20 }, async (_, index) => {
        await share(
          storage,
          async () => await Promise.resolve(`te_1${index}`),
          async (tx, id) => {
            await tx.insertTaskExecutions([rowOf(id)])
            if (index % 2 === 1) {
              throw trouble
            }
          },
        )
        await storage.withTransaction(async (tx) => await tx.insertTaskExecutions([rowOf(`te_2${index}`)]))
      }),
    )
    assert.equal(ended.filter(isFulfilled).length, 10)
    const kept = Array.from({ length: 10 }, (_, index) => [`te_1${2 * index}`, `te_2${2 * index}`]).flat()
    await assertStored(
      storage,
      ['te_1', ...kept].map((id) => rowOf(id)),
    )
  }),

  {
    name: 'a row that a shared transaction has locked waits or fails for another connection, and is never lost',
    rule: STORAGE_RULES.share,
    needs: ['shareTransaction', 'two_connections'],
    run: async (world) => {
      const [storage, other] = [await openWith(world, [rowOf('te_1')]), await world.open()]
      const addOne = async (tx: DurableStorageTx): Promise<void> => {
        await tx.updateTaskExecutions(byIds('te_1'), { updatedAt: at(1) })
        const { childrenTasksCompletedCount } = await getOne(tx, 'te_1')
        await tx.updateTaskExecutions(byIds('te_1'), {
          childrenTasksCompletedCount: childrenTasksCompletedCount + 1,
          updatedAt: at(2),
        })
      }
      const [shared, second] = await interleave(
        async (pause) =>
          await share(
            storage,
            async () => await Promise.resolve(),
            async (tx) => {
              await addOne(tx)
              await pause()
            },
          ),
        async () => await other.withTransaction(addOne),
      )
      valueOf(shared)
      const row = await findOne(other, 'te_1')
      assert.equal(row.childrenTasksCompletedCount, isFulfilled(second) ? 2 : 1)
    },
  },
]
