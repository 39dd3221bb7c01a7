/** Conformance: reading what the ids of an execution lead to, by ranges of ids. */

import assert from 'node:assert/strict'

import { type DurableStorage } from '../../storage/contract.ts'
import { type ConformanceCase } from './case.ts'
import { call, memberOf } from './member.ts'
import { assertRows, at, byIds, fullRow, openWith, type Row, rowOf } from './rows.ts'
import { STORAGE_RULES } from './rules.ts'

/** All that belongs to an execution: its ids go on with one of the characters from `!` to `:`. */
const rangeOf = (executionId: string): { from: string; to: string } => ({
  from: `${executionId}!`,
  to: `${executionId};`,
})

function rangeCase(
  name: string,
  rows: Array<Row>,
  run: (storage: DurableStorage) => Promise<void>,
): ConformanceCase {
  return {
    name,
    rule: STORAGE_RULES.idRanges,
    needs: ['getTaskExecutionsInIdRanges'],
    run: async (world) => await run(await openWith(world, rows)),
  }
}

const OF_A = [
  'te_a!signal:go:1',
  'te_a!state',
  'te_a:pay:1',
  'te_a:pay:1:try:0.0',
  'te_a:Ünicode \u{1F642}:2',
]
// What an order by the rules of a language, without regard to case or to punctuation, would put among them.
const NOT_OF_A =
  'te_a|te_A:pay:1|te-a:pay:1|tea:pay:1|te_a |te_a;|te_a;pay:1|te_a_pay|te_aa|te_aa:pay:1|te_á:pay:1|te_b:pay:1|te_|TE_A!state'.split(
    '|',
  )

export const idRangeCases: ReadonlyArray<ConformanceCase> = [
  rangeCase(
    'a range of ids holds what its characters say by their codes, and nothing of another execution',
    [...OF_A, ...NOT_OF_A].map((id) => rowOf(id)),
    async (storage) => {
      assertRows(
        await call(storage, 'getTaskExecutionsInIdRanges', [rangeOf('te_a')]),
        OF_A.map((id) => rowOf(id)),
      )
    },
  ),

  rangeCase(
    'a range of ids holds its beginning and not its end',
    ['te_a!', 'te_a!!', 'te_a:', 'te_a;'].map((id) => rowOf(id)),
    async (storage) => {
      assertRows(await call(storage, 'getTaskExecutionsInIdRanges', [rangeOf('te_a')]), [
        rowOf('te_a!'),
        rowOf('te_a!!'),
        rowOf('te_a:'),
      ])
    },
  ),

  rangeCase(
    'several ranges of ids are read together, whole; what is in none of them is left out',
    [fullRow('te_a:one:1'), rowOf('te_b:one:1'), fullRow('te_c:one:1'), rowOf('te_c!state'), rowOf('te_c')],
    async (storage) => {
      const ranges = ['te_c', 'te_none', 'te_a'].map(rangeOf)
      assertRows(await call(storage, 'getTaskExecutionsInIdRanges', ranges), [
        fullRow('te_a:one:1'),
        fullRow('te_c:one:1'),
        rowOf('te_c!state'),
      ])
      assert.deepEqual(await call(storage, 'getTaskExecutionsInIdRanges', []), [])
      assert.deepEqual(await call(storage, 'getTaskExecutionsInIdRanges', [rangeOf('te_none')]), [])
    },
  ),

  rangeCase(
    'a range of ids holds what the same transaction has written, and no longer what was undone',
    [rowOf('te_a:one:1')],
    async (storage) => {
      const changed = rowOf('te_a:one:1', { retryAttempts: 3, updatedAt: at(1) })
      await assert.rejects(
        storage.withTransaction(async (tx) => {
          await tx.insertTaskExecutions([rowOf('te_a:two:1')])
          await tx.updateTaskExecutions(byIds('te_a:one:1'), { retryAttempts: 3, updatedAt: at(1) })
          assertRows(await memberOf(tx, 'getTaskExecutionsInIdRanges')([rangeOf('te_a')]), [
            changed,
            rowOf('te_a:two:1'),
          ])
          throw new Error('undo')
        }),
        /undo/u,
      )
      assertRows(await call(storage, 'getTaskExecutionsInIdRanges', [rangeOf('te_a')]), [rowOf('te_a:one:1')])
    },
  ),

  rangeCase(
    'a thousand ranges of ids are read in one call',
    Array.from({ length: 1_000 }, (_, index) => rowOf(`te_${index}_:one:1`)),
    async (storage) => {
      const ranges = Array.from({ length: 1_000 }, (_, index) => rangeOf(`te_${index}_`))
      assert.equal((await call(storage, 'getTaskExecutionsInIdRanges', ranges)).length, 1_000)
    },
  ),
]
