/** Locking, reading and writing many rows at once: by the storage's own means where it has them, else by the four operations. */

import { LIMITS } from '../base/limits.ts'
import { type ExecutionRow, type ExecutionUpdate, type LeanRow } from '../machine/execution.ts'
import { type DurableStorageTx, type DurableTaskExecutionStorageWhere } from '../storage/contract.ts'

type ByIds = Extract<DurableTaskExecutionStorageWhere, { type: 'by_execution_ids' }>

/** The parts of a list, none longer than `size`. */
export function* chunksOf<T>(items: ReadonlyArray<T>, size: number): Generator<Array<T>> {
  for (let start = 0; start < items.length; start += size) {
    yield items.slice(start, start + size)
  }
}

/**
 * Locks the rows and reads them; those that do not exist are left out.
 *
 * The order is that of descending ids, by everybody. A child is made after its parent, so most often its id is the
 * larger one, and children are locked before parents.
 */
export async function lockRows(
  tx: DurableStorageTx,
  executionIds: Iterable<string>,
  now: Date,
): Promise<Map<string, LeanRow>> {
  const sorted = [...new Set(executionIds)].toSorted().toReversed()
  const rows = new Map<string, LeanRow>()
  if (sorted.length === 0) {
    return rows
  }
  if (tx.lockTaskExecutions) {
    for (const row of await tx.lockTaskExecutions(sorted, { isLean: true })) {
      rows.set(row.executionId, row)
    }
    return rows
  }
  for (const ids of chunksOf(sorted, LIMITS.idsPerCall)) {
    // The touch: an update without a guard on the status waits for whoever is changing the row.
    const touched = await tx.updateTaskExecutions(
      { type: 'by_execution_ids', executionIds: ids },
      { updatedAt: now },
    )
    await readInto(rows, tx, touched)
  }
  return rows
}

/** Touches rows that match a guard, and reads those; for callers to whom other rows are no business. */
export async function lockMatching(
  tx: DurableStorageTx,
  where: Pick<ByIds, 'executionIds' | 'statuses'>,
  now: Date,
): Promise<Map<string, LeanRow>> {
  const rows = new Map<string, LeanRow>()
  const sorted = where.executionIds.toSorted().toReversed()
  for (const executionIds of chunksOf(sorted, LIMITS.idsPerCall)) {
    const touched = await tx.updateTaskExecutions(
      { ...where, type: 'by_execution_ids', executionIds },
      { updatedAt: now },
    )
    await readInto(rows, tx, touched)
  }
  return rows
}

async function readInto(
  rows: Map<string, LeanRow>,
  tx: DurableStorageTx,
  executionIds: Array<string>,
): Promise<void> {
  if (executionIds.length === 0) {
    return
  }
  for (const row of await tx.getTaskExecutions({ type: 'by_execution_ids', executionIds })) {
    rows.set(row.executionId, row)
  }
}

/** Whole rows, without locking them. */
export async function readRows(
  tx: DurableStorageTx,
  executionIds: ReadonlyArray<string>,
): Promise<Array<ExecutionRow>> {
  const rows: Array<ExecutionRow> = []
  for (const ids of chunksOf(executionIds, LIMITS.idsPerCall)) {
    rows.push(...(await tx.getTaskExecutions({ type: 'by_execution_ids', executionIds: ids })))
  }
  return rows
}

/** A few fields of rows, without locking them. */
export async function readFields<K extends keyof ExecutionRow>(
  tx: DurableStorageTx,
  executionIds: ReadonlyArray<string>,
  fields: ReadonlyArray<K>,
): Promise<Map<string, Pick<ExecutionRow, 'executionId'> & Partial<Pick<ExecutionRow, K>>>> {
  const found = new Map<string, Pick<ExecutionRow, 'executionId'> & Partial<Pick<ExecutionRow, K>>>()
  for (const ids of chunksOf(executionIds, LIMITS.idsPerCall)) {
    const rows = tx.getTaskExecutionFields
      ? await tx.getTaskExecutionFields(ids, [...fields])
      : await tx.getTaskExecutions({ type: 'by_execution_ids', executionIds: ids })
    for (const row of rows) {
      found.set(row.executionId, row)
    }
  }
  return found
}

/** Writes updates of rows that this transaction has locked. */
export async function writeUpdates(
  tx: DurableStorageTx,
  updates: ReadonlyMap<string, ExecutionUpdate>,
): Promise<void> {
  if (updates.size === 0) {
    return
  }
  if (tx.updateTaskExecutionsBatch) {
    await tx.updateTaskExecutionsBatch([...updates].map(([executionId, update]) => ({ executionId, update })))
    return
  }
  for (const { executionIds, update } of groupEqual(updates)) {
    for (const ids of chunksOf(executionIds, LIMITS.idsPerCall)) {
      await tx.updateTaskExecutions({ type: 'by_execution_ids', executionIds: ids }, update)
    }
  }
}

/** Inserts rows, however many. */
export async function insertRows(tx: DurableStorageTx, rows: ReadonlyArray<ExecutionRow>): Promise<void> {
  for (const some of chunksOf(rows, LIMITS.rowsPerInsert)) {
    await tx.insertTaskExecutions(some)
  }
}

/** Rows that get the same update are written together. */
function groupEqual(
  updates: ReadonlyMap<string, ExecutionUpdate>,
): Iterable<{ executionIds: Array<string>; update: ExecutionUpdate }> {
  const groups = new Map<string, { executionIds: Array<string>; update: ExecutionUpdate }>()
  for (const [executionId, update] of updates) {
    const key = JSON.stringify(Object.entries(update).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    const group = groups.get(key)
    if (group === undefined) {
      groups.set(key, { executionIds: [executionId], update })
    } else {
      group.executionIds.push(executionId)
    }
  }
  return groups.values()
}
