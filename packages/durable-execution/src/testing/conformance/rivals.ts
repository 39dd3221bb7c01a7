/** Two connections to one place, and what transactions on them do to each other's row. */

import assert from 'node:assert/strict'

import { type DurableStorage, type DurableStorageTx } from '../../storage/contract.ts'
import { type ConformanceWorld } from './case.ts'
import { at, byIds, findOne, getOne, insert, type Row } from './rows.ts'

/** Holds a transaction open where it calls this. */
export type Pause = () => Promise<void>

/** The same place, opened twice. */
export async function openTwice(
  world: ConformanceWorld,
  rows: Array<Row>,
): Promise<[DurableStorage, DurableStorage]> {
  const one = await world.open()
  const other = await world.open()
  await insert(one, structuredClone(rows))
  return [one, other]
}

/** Touch, then read: the row as it is while nobody else can change it; undefined if the touch did not reach it. */
export async function touch(
  tx: DurableStorageTx,
  executionId: string,
  statuses?: Array<Row['status']>,
): Promise<Row | undefined> {
  const where = { ...byIds(executionId), ...(statuses === undefined ? {} : { statuses }) }
  const touched = await tx.updateTaskExecutions(where, { updatedAt: at(1) })
  return touched.length === 0 ? undefined : await getOne(tx, executionId)
}

/** Adds one to a count as the engine does, held open in the middle. */
export async function addOne(tx: DurableStorageTx, pause: Pause): Promise<void> {
  const row = await touch(tx, 'te_1')
  assert.ok(row, 'the touch did not reach the row')
  await pause()
  await tx.updateTaskExecutions(byIds('te_1'), {
    childrenTasksCompletedCount: row.childrenTasksCompletedCount + 1,
    updatedAt: at(2),
  })
}

/** For a transaction that is not held open. */
export const noPause: Pause = () => Promise.resolve()

/** The count to which `addOne` adds. */
export const counted = async (storage: DurableStorage): Promise<number> =>
  (await findOne(storage, 'te_1')).childrenTasksCompletedCount
