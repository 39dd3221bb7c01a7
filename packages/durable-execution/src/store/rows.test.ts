/** Rows are locked in one order by everybody. */

import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { callId, idPrefix } from '../machine/records.ts'
import { type DurableStorageTx } from '../storage/contract.ts'
import { lockRows } from './rows.ts'

/** The ids in the order in which they are locked. */
async function lockedIds(executionIds: ReadonlyArray<string>): Promise<ReadonlyArray<string>> {
  const locked: Array<string> = []
  const tx: Pick<DurableStorageTx, 'lockTaskExecutions'> = {
    lockTaskExecutions: (ids) => {
      locked.push(...ids)
      return []
    },
  }
  await lockRows(tx as DurableStorageTx, executionIds, new Date(0))
  return locked
}

const ids = fc.array(
  fc
    .tuple(
      fc.constantFrom('te_1', 'te_2', 'zz', 'a'),
      fc.array(fc.constantFrom('part', 'b:c', '0'), { maxLength: 3 }),
    )
    .map(([root, way]) => way.reduce<string>((id, name) => callId(idPrefix(id), name, 1), root)),
  { maxLength: 8 },
)

test('the order of locks is that of the ids alone, so that two transactions never wait for each other', async () => {
  await fc.assert(
    fc.asyncProperty(ids, ids, async (one, other) => {
      const [first, second] = [
        await lockedIds([...one, ...other]),
        await lockedIds([...other, ...one].toReversed()),
      ]
      expect(first).toEqual(second)
      const shared = new Set(one.filter((id) => other.includes(id)))
      const isShared = (id: string): boolean => shared.has(id)
      expect((await lockedIds(one)).filter(isShared)).toEqual((await lockedIds(other)).filter(isShared))
    }),
  )
})

test('a child of a child may come after its parent in that order', async () => {
  const parent = callId('te_1', 'part', 1)
  const child = callId(idPrefix(parent), 'part', 1)
  expect(await lockedIds([child, parent])).toEqual([parent, child])
})
