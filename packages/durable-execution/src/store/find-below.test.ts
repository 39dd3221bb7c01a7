import { expect, test } from 'vitest'

import { createDurableTaskExecutionStorageObject, type ExecutionRow } from '../machine/execution.ts'
import { compensationId } from '../machine/records.ts'
import { createInMemoryStorage } from '../storage/memory/in-memory-storage.ts'
import { findBelow } from './close.ts'

const NOW = new Date('2030-01-01')

function row(executionId: string, parentId?: string): ExecutionRow {
  return createDurableTaskExecutionStorageObject({
    now: NOW,
    taskId: 'task',
    executionId,
    retryOptions: { maxAttempts: 0 },
    sleepMsBeforeRun: 0,
    timeoutMs: 1_000,
    runInput: '1',
    ...(parentId === undefined ? {} : { parentTask: { taskId: 'task', executionId: parentId } }),
  })
}

test('what undoes a row is not below it: who comes second to close the row does not cancel it', async () => {
  const storage = createInMemoryStorage()
  const failed: ExecutionRow = { ...row('te_1'), status: 'failed', isClosed: true, finishedAt: NOW }
  const rows = [failed, row(compensationId('te_1'), 'te_1'), row('te_1:child:1', 'te_1')]
  await storage.withTransaction(async (tx) => await tx.insertTaskExecutions(rows))
  const { activeIds, open } = await findBelow(async (fn) => await storage.withTransaction(fn), 'te_1')
  expect(activeIds).toEqual(['te_1:child:1'])
  expect(open).toEqual([])
})
