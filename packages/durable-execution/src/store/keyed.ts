/**
 * Rows whose ids are made from keys. The primary key is all that keeps them apart: such a row is looked for before it is
 * inserted, and again when its insert fails, since somebody may have been quicker.
 */

import { assert } from '../base/assert.ts'
import { LIMITS } from '../base/limits.ts'
import { type ExecutionRow } from '../machine/execution.ts'
import { type DurableStorageTx } from '../storage/contract.ts'
import { chunksOf, insertRows, readFields } from './rows.ts'

/** A row that was found, as far as it is read: what it was given, and under whose lease it runs. */
export type FoundRow = Pick<ExecutionRow, 'executionId'> &
  Partial<Pick<ExecutionRow, 'runInput' | 'status' | 'startedAt' | 'leaseId'>>

/** Which rows have keys, and what is to be said of those that are there. */
export type KeyedRows = {
  has: (executionId: string) => boolean
  /** Hears of each that is there. Throws if it is not the one that was meant: then nothing is to be inserted. */
  found: (row: FoundRow) => void
}

const FIELDS = ['runInput', 'status', 'startedAt', 'leaseId'] as const

/** Those of the rows that are there. */
export async function findRows(
  tx: DurableStorageTx,
  executionIds: ReadonlyArray<string>,
): Promise<ReadonlyMap<string, FoundRow>> {
  return await readFields(tx, executionIds, FIELDS)
}

/** The ids of the keyed ones that are there; whoever minds hears of each. */
export async function findKeyed(
  tx: DurableStorageTx,
  rows: ReadonlyArray<ExecutionRow>,
  keyed: KeyedRows,
): Promise<ReadonlySet<string>> {
  const ids = rows.map(({ executionId }) => executionId).filter((executionId) => keyed.has(executionId))
  const found = await findRows(tx, ids)
  found.forEach((row) => keyed.found(row))
  return new Set(found.keys())
}

/**
 * Inserts rows, but for those that are there already, in a transaction that is somebody else's: it must not be broken, so
 * where the storage can it is asked to insert what is missing, which is no error where nothing is.
 */
export async function insertUnlessThere(
  tx: DurableStorageTx,
  rows: ReadonlyArray<ExecutionRow>,
  keyed: KeyedRows,
): Promise<void> {
  // Looked for first, and the others last: where one is refused, nothing was inserted as a rule.
  const there = await findKeyed(tx, rows, keyed)
  const missing = rows.filter(({ executionId }) => keyed.has(executionId) && !there.has(executionId))
  await (tx.insertTaskExecutionsIfMissing === undefined
    ? insertRows(tx, missing)
    : insertMissing(tx, missing, keyed))
  await insertRows(
    tx,
    rows.filter(({ executionId }) => !keyed.has(executionId)),
  )
}

async function insertMissing(
  tx: DurableStorageTx,
  rows: ReadonlyArray<ExecutionRow>,
  keyed: KeyedRows,
): Promise<void> {
  // In the same order by everybody: of two that insert the same ids one waits for the other, and not each for the other.
  let missing = rows.toSorted((a, b) => (a.executionId < b.executionId ? -1 : 1))
  for (let rounds = 1; missing.length > 0; rounds += 1) {
    assert(rounds <= LIMITS.userTries, `${missing[0]?.executionId} is neither there nor missing`)
    const done = new Set<string>()
    for (const some of chunksOf(missing, LIMITS.rowsPerInsert)) {
      for (const executionId of (await tx.insertTaskExecutionsIfMissing?.(some)) ?? []) {
        done.add(executionId)
      }
    }
    const rest = missing.filter(({ executionId }) => !done.has(executionId))
    const there = await findKeyed(tx, rest, keyed)
    // What is not there either was deleted in between.
    missing = rest.filter(({ executionId }) => !there.has(executionId))
  }
}
