/** Cases: what many suspended executions cost those who have nothing to do with them: nothing. */

import assert from 'node:assert/strict'

import { createDefaultSerializer } from '../../../base/serializer.ts'
import { createDurableTaskExecutionStorageObject } from '../../../machine/execution.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { HOUR } from './durable-lives.ts'
import { withCallListener } from './lives.ts'

export const SUSPENDED_RULES: Record<string, string> = {
  'suspended.no_queries':
    'However many executions are suspended, an executor asks its storage no more often than with none, until one is due.',
}

const MANY = 300
const PREFIX = 'te_suspended_'

export const SUSPENDED_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'suspended.no_queries',
    'hundreds of suspended executions are seen by nobody, and one that is told goes on at once',
    async (world) => {
      let calls = 0
      const storage = withCallListener(world.storage, () => {
        calls += 1
      })
      const executor = world.newExecutor({ storage })
      let runs = 0
      const flow = executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        run: async (ctx) => {
          runs += 1
          return await ctx.waitForSignal('go')
        },
      })
      await world.until(executor.start())
      const callsOfTenSeconds = async (): Promise<number> => {
        await world.clock.advance('5s')
        const before = calls
        await world.clock.advance('10s')
        return calls - before
      }
      const idle = await callsOfTenSeconds()
      const timers = world.clock.pendingTimers()
      await world.storage.withTransaction(async (tx) => {
        await tx.insertTaskExecutions(
          Array.from({ length: MANY }, (_, index) => ({
            ...createDurableTaskExecutionStorageObject({
              now: new Date(world.clock.now()),
              taskId: 'flow',
              executionId: `${PREFIX}${index}`,
              retryOptions: { maxAttempts: 0 },
              sleepMsBeforeRun: 0,
              timeoutMs: HOUR,
              runInput: createDefaultSerializer().serialize(null),
            }),
            startedAt: new Date(world.clock.now() - 1),
            startAt: new Date(world.clock.now() + 1_000 * HOUR),
            depth: 1,
            suspendedFor: [{ kind: 'signal' as const, name: 'go', ordinal: 1 }],
          })),
        )
      })
      const busy = await callsOfTenSeconds()
      assert.ok(busy <= idle + 2, `${idle} calls with none, ${busy} with ${MANY}`)
      assert.equal(runs, 0)
      assert.equal(executor.getRunningTaskExecutionIds().size, 0)
      assert.equal(world.clock.pendingTimers(), timers)
      const handle = await executor.getTaskHandle(flow, `${PREFIX}7`)
      await world.until(executor.signal(handle.getTaskExecutionId(), 'go', 'told'))
      const end = await world.finish(handle, 2_000)
      assert.equal(end.status === 'completed' && end.output, 'told')
      assert.equal(runs, 1)
    },
  ),
]
