/** Rows, and short ways to put them into a storage and find them. */

import {
  createDurableTaskExecutionStorageObject,
  type DurableTaskExecutionStorageObject,
} from '../../src/machine/execution.ts'
import {
  type DurableStorage,
  type DurableStorageClaim,
  type DurableStorageTx,
} from '../../src/storage/contract.ts'

export const AT = new Date(1_700_000_000_000)

/** A `ready` row, with what is given instead. */
export function rowOf(
  executionId: string,
  fields: Partial<DurableTaskExecutionStorageObject> = {},
): DurableTaskExecutionStorageObject {
  const row = createDurableTaskExecutionStorageObject({
    now: AT,
    taskId: 'task',
    executionId,
    retryOptions: { maxAttempts: 0 },
    sleepMsBeforeRun: 0,
    timeoutMs: 1_000,
    runInput: '1',
  })
  return { ...row, ...fields }
}

/** A claim of what is due of those rows, for half a minute, with what is given instead. */
export function claimOf(fields: Partial<DurableStorageClaim> = {}): DurableStorageClaim {
  const { now = AT } = fields
  return {
    taskIds: ['task'],
    excludedExecutionIds: [],
    limit: 100,
    now,
    expiresAt: new Date(now.getTime() + 30_000),
    leaseId: 'lease',
    executorId: 'executor',
    ...fields,
  }
}

/** Inserts the rows in a transaction of their own. */
export async function insert(
  storage: DurableStorage,
  ...rows: Array<DurableTaskExecutionStorageObject>
): Promise<void> {
  await storage.withTransaction(async (tx) => await tx.insertTaskExecutions(rows))
}

/** The ids of the rows that are ready. */
export async function readyIds(storage: DurableStorage): Promise<Array<string>> {
  return await storage.withTransaction(
    async (tx) => await tx.getTaskExecutionIds({ type: 'by_statuses', statuses: ['ready'] }),
  )
}

/** Touches the row, and so locks it. */
export async function touch(tx: DurableStorageTx, executionId: string): Promise<Array<string>> {
  return await tx.updateTaskExecutions(
    { type: 'by_execution_ids', executionIds: [executionId] },
    { updatedAt: AT },
  )
}
