/** One transaction on the rows in memory: every operation of the contract. */

import { DurableExecutionError } from '../../base/errors.ts'
import { type ExecutionRow } from '../../machine/execution.ts'
import {
  type DurableStorageClaim,
  type DurableStorageGuardedUpdate,
  type DurableStorageRenew,
  type DurableStorageRenewed,
  type DurableStorageTx,
} from '../contract.ts'
import { keepRow, keepUpdate, releaseFields, releaseLeanRow, releaseRow } from './kept-row.ts'
import { type StoredRow } from './row-index.ts'
import { type RowStore } from './row-store.ts'

/** The operations that memory offers: all that work inside a transaction. */
export type MemoryTransaction = Required<DurableStorageTx>

/**
 * The operations on the store. Each checks `isOver` first, so that a transaction which is used after
 * its end fails instead of writing into somebody else's.
 */
export function createMemoryTransaction(store: RowStore, isOver: () => boolean): MemoryTransaction {
  const operations = operationsOn(store)
  const guarded = Object.entries(operations).map(([name, operation]) => [
    name,
    (...given: Array<never>): unknown => {
      if (isOver()) {
        throw new DurableExecutionError(
          `${name} was called on a transaction that has ended. Await every call inside withTransaction`,
          false,
        )
      }
      return (operation as (...given: Array<never>) => unknown)(...given)
    },
  ])
  return Object.fromEntries(guarded) as MemoryTransaction
}

function operationsOn(store: RowStore): MemoryTransaction {
  return {
    insertTaskExecutions: (executions) => store.insert(executions.map(keepRow)),
    getTaskExecutionIds: (where, limit) => idsOf(store.find(where, atMost(limit))),
    getTaskExecutions: (where, limit) =>
      store.find(where, atMost(limit)).map((stored) => releaseRow(stored.row)),
    updateTaskExecutions: (where, update) => {
      const found = store.find(where, Number.POSITIVE_INFINITY)
      // One copy serves all rows: rows of the store never change, so they may share it.
      const change = keepUpdate(update)
      for (const stored of found) {
        store.update(stored, change)
      }
      return idsOf(found)
    },
    claimTaskExecutions: (claim) => claimDue(store, claim),
    updateTaskExecutionsBatch: (updates) => updateGuarded(store, updates),
    lockTaskExecutions: (executionIds, options) =>
      store
        .getMany(executionIds)
        .map(({ row }) => (options?.isLean === true ? releaseLeanRow(row) : releaseRow(row))),
    getTaskExecutionFields: (executionIds, fields) =>
      store.getMany(executionIds).map((stored) => releaseFields(stored.row, fields)),
    renewTaskExecutions: (renew) => renewHeld(store, renew),
    getTaskExecutionIdsBelow: (parentExecutionId, limit) =>
      idsOf(store.findBelow(parentExecutionId, atMost(limit))),
  }
}

function idsOf(found: ReadonlyArray<StoredRow>): Array<string> {
  return found.map((stored) => stored.row.executionId)
}

/** A limit of the contract as a number to compare with: none given, negative and NaN mean no limit. */
function atMost(limit: number | undefined): number {
  return limit !== undefined && limit >= 0 ? Math.floor(limit) : Number.POSITIVE_INFINITY
}

function claimDue(store: RowStore, claim: DurableStorageClaim): Array<ExecutionRow> {
  const now = claim.now.getTime()
  const due = store.findDue({
    taskIds: claim.taskIds,
    excludedIds: new Set(claim.excludedExecutionIds),
    now,
    limit: atMost(claim.limit),
  })
  const kept = keepUpdate({
    status: 'running',
    leaseId: claim.leaseId,
    executorId: claim.executorId,
    expiresAt: claim.expiresAt,
    updatedAt: claim.now,
  })
  const names = [...kept.names, 'startedAt']
  return due.map((stored) => {
    const { startedAt } = stored.row
    const claimedAt = startedAt === undefined ? now : Math.max(now, startedAt + 1)
    store.update(stored, { names, values: [...kept.values, claimedAt] })
    return releaseRow(stored.row)
  })
}

function updateGuarded(store: RowStore, updates: ReadonlyArray<DurableStorageGuardedUpdate>): Array<string> {
  // All are read before the first is written: a value that is refused leaves nothing half done.
  const kept = updates.map((guarded) => ({ ...guarded, change: keepUpdate(guarded.update) }))
  const changed: Array<string> = []
  for (const { executionId, statuses, leaseId, change } of kept) {
    const stored = store.get(executionId)
    if (
      stored !== undefined &&
      (statuses === undefined || statuses.includes(stored.row.status)) &&
      (leaseId === undefined || stored.row.leaseId === leaseId)
    ) {
      store.update(stored, change)
      changed.push(executionId)
    }
  }
  return changed
}

function renewHeld(store: RowStore, renew: DurableStorageRenew): Array<DurableStorageRenewed> {
  const change = keepUpdate({ expiresAt: renew.expiresAt, updatedAt: renew.now })
  const renewed: Array<DurableStorageRenewed> = []
  for (const { executionId, leaseId } of renew.leases) {
    const stored = store.get(executionId)
    if (stored?.row.status === 'running' && stored.row.leaseId === leaseId) {
      store.update(stored, change)
      renewed.push({ executionId })
    }
  }
  return renewed
}
