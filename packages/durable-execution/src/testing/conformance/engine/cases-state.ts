/** Cases: what a function says of its progress. */

import assert from 'node:assert/strict'

import { type EngineConformanceCase, engineCase } from './case.ts'
import { HOUR, started, suspended } from './durable-lives.ts'
import { createGate } from './lives.ts'

export const STATE_RULES: Record<string, string> = {
  'state.told':
    'What a function says of its progress is told by its handle, in every process, also when it has ended.',
}

export const STATE_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'state.told',
    'the state is what was said last, here and elsewhere, during the run and after',
    async (world) => {
      const gate = createGate()
      const { executor, flow } = await started(world, async (ctx) => {
        await ctx.setState({ done: 1 })
        await ctx.sleep('nap', 5_000)
        await ctx.setState({ done: 2 })
        await gate.promise
        await ctx.setState({ done: 3 })
        throw new Error('broken')
      })
      const handle = await executor.enqueueTask(flow, undefined)
      const elsewhere = world.newExecutor()
      elsewhere.task({ id: 'flow', timeoutMs: HOUR, run: () => 0 })
      const other = await world.until(
        elsewhere.getTaskHandle<unknown, unknown>({ id: 'flow' }, handle.getTaskExecutionId()),
      )
      await suspended(world, handle.getTaskExecutionId())
      assert.deepEqual(await world.until(other.getState()), { done: 1 })
      await world.clock.advance('10s')
      assert.deepEqual(await world.until(other.getState()), { done: 2 })
      gate.open()
      assert.equal((await world.finish(handle)).status, 'failed')
      assert.deepEqual(await world.until(other.getState()), { done: 3 })
    },
  ),
]
