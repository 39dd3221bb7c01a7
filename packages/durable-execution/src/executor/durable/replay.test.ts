import { expect, test } from 'vitest'

import { createDurableTaskExecutionStorageObject, type ExecutionRow } from '../../machine/execution.ts'
import { callId, compensationId, compensationMarkId, recordRow } from '../../machine/records.ts'
import { createInMemoryStorage } from '../../storage/memory/in-memory-storage.ts'
import { createTestExecutor } from '../../testing/test-executor.ts'

const LEASE_MS = 60_000

test.for([
  ['by a clock that is behind that of who slept: it was over', 500, ['second', 'first']],
  ['long before it was over: nothing after it had begun', LEASE_MS, ['first']],
] as const)('an execution is ended after a sleep began, %s', async ([, earlierMs, undone]) => {
  const storage = createInMemoryStorage()
  await using kit = createTestExecutor({ storage, expireMs: LEASE_MS })
  const log: Array<string> = []
  kit.executor.task({
    id: 'task',
    timeoutMs: LEASE_MS,
    run: async (ctx) => {
      await ctx.compensate('first', () => log.push('first'))
      await ctx.sleep('a while', LEASE_MS)
      await ctx.compensate('second', () => log.push('second'))
    },
  })
  const now = kit.clock.now()
  const endedAt = new Date(now - earlierMs)
  const base = {
    now: endedAt,
    taskId: 'task',
    retryOptions: { maxAttempts: 0 },
    sleepMsBeforeRun: 0,
    timeoutMs: LEASE_MS,
    runInput: '1',
  }
  const ended: ExecutionRow = {
    ...createDurableTaskExecutionStorageObject({ ...base, executionId: 'te_1' }),
    status: 'cancelled',
    isClosed: true,
    finishedAt: endedAt,
    error: { errorType: 'cancelled', message: 'cancelled', isRetryable: false },
  }
  const compensate = (executionId: string): ExecutionRow =>
    recordRow(ended, { executionId, kind: '#compensate' }, now)
  const undoing = createDurableTaskExecutionStorageObject({
    ...base,
    executionId: compensationId('te_1'),
    parentTask: { taskId: 'task', executionId: 'te_1' },
  })
  await storage.withTransaction(async (tx) => {
    await tx.insertTaskExecutions([
      ended,
      compensate(compensationMarkId('te_1')),
      compensate(callId('te_1', 'first', 1)),
      recordRow(
        ended,
        { executionId: callId('te_1', 'a while', 1), kind: '#sleep', dueAt: new Date(now) },
        now,
      ),
      compensate(callId('te_1', 'second', 1)),
      undoing,
    ])
  })
  await kit.advance('1m')
  expect(log).toEqual(undone)
})
