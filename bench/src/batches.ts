/** What the benchmarks of a storage by itself do with it: rows that are inserted, claimed and settled, many in a call. */

import {
  createDurableTaskExecutionStorageObject,
  type DurableStorage,
  type DurableStorageTx,
} from 'durable-execution'

type Row = Parameters<DurableStorageTx['insertTaskExecutions']>[0][number]

let drawn = 0

export async function insertBatch(
  storage: DurableStorage,
  count: number,
  fields: Partial<Row> = {},
): Promise<void> {
  const rows = Array.from({ length: count }, () => ({ ...newRow(), ...fields }))
  await one(storage, async (tx) => await tx.insertTaskExecutions(rows))
}

/** Takes so many rows that are due; gives their ids. */
export async function claimBatch(storage: DurableStorage, limit: number): Promise<Array<string>> {
  const now = new Date()
  const rows = await one(
    storage,
    async (tx) =>
      await tx.claimTaskExecutions?.({
        taskIds: ['noop'],
        excludedExecutionIds: [],
        limit,
        now,
        expiresAt: new Date(now.getTime() + 30_000),
        leaseId: 'lease',
        executorId: 'executor',
      }),
  )
  return (rows ?? []).map(({ executionId }) => executionId)
}

/** Writes that the rows are completed. */
export async function settleBatch(storage: DurableStorage, executionIds: Array<string>): Promise<void> {
  const now = new Date()
  const updates = executionIds.map((executionId) => ({
    executionId,
    statuses: ['running' as const],
    leaseId: 'lease',
    update: {
      status: 'completed' as const,
      runOutput: `"${executionId}"`,
      output: `"${executionId}"`,
      isClosed: true,
      finishedAt: now,
      unsetExpiresAt: true,
      unsetError: true,
      losses: 0,
      updatedAt: now,
    },
  }))
  const changed = await one(storage, async (tx) => await tx.updateTaskExecutionsBatch?.(updates))
  if (changed?.length !== executionIds.length) {
    throw new Error('a settle did not match')
  }
}

/** How long the work takes, in milliseconds. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

function newRow(): Row {
  drawn += 1
  return createDurableTaskExecutionStorageObject({
    now: new Date(),
    taskId: 'noop',
    executionId: `te_${String(drawn).padStart(32, '0')}`,
    retryOptions: { maxAttempts: 0 },
    sleepMsBeforeRun: 0,
    timeoutMs: 60_000,
    runInput: JSON.stringify({ number: drawn, text: 'x'.repeat(60) }),
  })
}

async function one<T>(storage: DurableStorage, fn: (tx: DurableStorageTx) => Promise<T>): Promise<T> {
  return await storage.withTransaction(fn, { oneCall: true })
}
