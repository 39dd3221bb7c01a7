/** One transaction on the rows in memory: every operation of the contract. */

import { DurableExecutionError } from '../../base/errors.ts'
import { type ExecutionRow, type ExecutionUpdate } from '../../machine/execution.ts'
import {
  type DurableStorageClaim,
  type DurableStorageGuardedUpdate,
  type DurableStorageRenew,
  type DurableStorageRenewed,
  type DurableStorageTx,
} from '../contract.ts'
import { millisOf } from './copies.ts'
import { keepUpdate, type KeptChange, type KeptRow } from './kept-row.ts'
import { releaseFields, releaseLeanRows, releaseRows } from './released-row.ts'
import { type RowStore } from './row-store.ts'

/** The operations that memory offers: all that work inside a transaction. */
export type MemoryTransaction = Required<DurableStorageTx>

/**
 * The operations on the store. Each checks `isOver` first, so that a transaction which is used after
 * its end fails instead of writing into somebody else's.
 */
export function createMemoryTransaction(store: RowStore, isOver: () => boolean): MemoryTransaction {
  const checkUse = (operation: keyof MemoryTransaction): void => {
    if (isOver()) {
      throw new DurableExecutionError(
        `${operation} was called on a transaction that has ended. Await every call inside withTransaction`,
        false,
      )
    }
  }
  return {
    insertTaskExecutions: (executions) => {
      checkUse('insertTaskExecutions')
      store.insert(executions)
    },
    insertTaskExecutionsIfMissing: (executions) => {
      checkUse('insertTaskExecutionsIfMissing')
      const missing = executions.filter(({ executionId }) => store.get(executionId) === undefined)
      store.insert(missing)
      return missing.map(({ executionId }) => executionId)
    },
    getTaskExecutionIds: (where, limit) => {
      checkUse('getTaskExecutionIds')
      return idsOf(store.find(where, atMost(limit)))
    },
    getTaskExecutions: (where, limit) => {
      checkUse('getTaskExecutions')
      return releaseRows(store.find(where, atMost(limit)))
    },
    updateTaskExecutions: (where, update) => {
      checkUse('updateTaskExecutions')
      const found = store.find(where, Number.POSITIVE_INFINITY)
      // One copy serves all rows: what is in a row never changes, so they may share it.
      const change = keepUpdate(update)
      for (const row of found) {
        store.update(row, change)
      }
      return idsOf(found)
    },
    claimTaskExecutions: (claim) => {
      checkUse('claimTaskExecutions')
      return claimDue(store, claim)
    },
    updateTaskExecutionsBatch: (updates) => {
      checkUse('updateTaskExecutionsBatch')
      return updateGuarded(store, updates)
    },
    lockTaskExecutions: (executionIds, options) => {
      checkUse('lockTaskExecutions')
      const found = store.getMany(executionIds)
      return options?.isLean === true ? releaseLeanRows(found) : releaseRows(found)
    },
    getTaskExecutionFields: (executionIds, fields) => {
      checkUse('getTaskExecutionFields')
      return store.getMany(executionIds).map((row) => releaseFields(row, fields))
    },
    renewTaskExecutions: (renew) => {
      checkUse('renewTaskExecutions')
      return renewHeld(store, renew)
    },
    getTaskExecutionsInIdRanges: (ranges) => {
      checkUse('getTaskExecutionsInIdRanges')
      return releaseRows(ranges.flatMap(({ from, to }) => store.findInRange(from, to)))
    },
    getTaskExecutionIdsBelow: (parentExecutionId, limit) => {
      checkUse('getTaskExecutionIdsBelow')
      return idsOf(store.findBelow(parentExecutionId, atMost(limit)))
    },
  }
}

function idsOf(found: ReadonlyArray<KeptRow>): Array<string> {
  return found.map((row) => row.executionId)
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
    lossesLessThan: claim.lossesLessThan ?? Infinity,
    now,
    limit: atMost(claim.limit),
  })
  const change: { -readonly [Name in keyof KeptChange]: KeptChange[Name] } = keepUpdate({
    status: 'running',
    leaseId: claim.leaseId,
    executorId: claim.executorId,
    expiresAt: claim.expiresAt,
    updatedAt: claim.now,
  })
  for (const row of due) {
    const startedAt = row.startedAt === undefined ? now : Math.max(now, row.startedAt + 1)
    change.startedAt = startedAt
    store.update(row, change)
  }
  return releaseRows(due)
}

function updateGuarded(store: RowStore, updates: ReadonlyArray<DurableStorageGuardedUpdate>): Array<string> {
  // All are read before the first is written: a value that is refused leaves nothing half done.
  const changes = updates.map(({ update }) =>
    isTouch(update) ? millisOf(update.updatedAt) : keepUpdate(update),
  )
  const changed: Array<string> = []
  for (const [index, { executionId, statuses, leaseId }] of updates.entries()) {
    const row = store.get(executionId)
    const change = changes[index]
    if (
      row !== undefined &&
      change !== undefined &&
      (statuses === undefined || statuses.includes(row.status)) &&
      (leaseId === undefined || row.leaseId === leaseId)
    ) {
      if (typeof change === 'number') {
        store.touch(row, change)
      } else {
        store.update(row, change)
      }
      changed.push(executionId)
    }
  }
  return changed
}

function renewHeld(store: RowStore, renew: DurableStorageRenew): Array<DurableStorageRenewed> {
  const change = keepUpdate({ expiresAt: renew.expiresAt, updatedAt: renew.now })
  const renewed: Array<DurableStorageRenewed> = []
  for (const { executionId, leaseId } of renew.leases) {
    const row = store.get(executionId)
    if (row?.status === 'running' && row.leaseId === leaseId) {
      store.update(row, change)
      renewed.push({ executionId })
    }
  }
  return renewed
}

/** Whether the update says no more than when it was made: many a run only shows that it holds its lease. */
function isTouch(update: ExecutionUpdate): boolean {
  for (const name in update) {
    if (name !== 'updatedAt' && update[name as keyof ExecutionUpdate] !== undefined) {
      return false
    }
  }
  return true
}
