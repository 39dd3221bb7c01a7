/** Cases: several waits for signals of one name, side by side. */

import assert from 'node:assert/strict'

import { type DurableStorage } from '../../../storage/contract.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { started, suspended } from './durable-lives.ts'
import { createGate } from './lives.ts'
import { type EngineWorld } from './world.ts'

export const PARALLEL_WAIT_RULES: Record<string, string> = {
  'signal.parallel':
    'Of waits of one name that time out side by side each leaves its signal to those behind it.',
  'signal.same_again': 'What a wait came to is what it comes to in every later run.',
}

/** The storage, whose transactions of several statements wait while it is held. */
function holding(world: EngineWorld): { storage: DurableStorage; hold: () => void; letGo: () => void } {
  const gate = createGate()
  let isHeld = false
  return {
    storage: {
      ...world.storage,
      withTransaction: async (fn, hint) => {
        if (isHeld && hint?.oneCall !== true) {
          await gate.promise
        }
        return await world.storage.withTransaction(fn, hint)
      },
    },
    hold: () => {
      isHeld = true
    },
    letGo: () => {
      isHeld = false
      gate.open()
    },
  }
}

export const PARALLEL_WAIT_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'signal.parallel',
    'a wait beside one that timed out in an earlier run gets the first signal',
    async (world) => {
      let runs = 0
      const { executor, flow } = await started(world, async (ctx) => {
        runs += 1
        const first = ctx.waitForSignal('go', { timeoutMs: 5_000 }).catch(() => 'late')
        return await Promise.all([first, ctx.waitForSignal('go')])
      })
      const handle = await executor.enqueueTask(flow, undefined)
      await suspended(world, handle.getTaskExecutionId())
      await world.clock.advance('20s')
      await world.until(executor.signal(handle.getTaskExecutionId(), 'go', 7))
      const end = await world.finish(handle)
      assert.deepEqual(end.status === 'completed' && end.output, ['late', 7])
      assert.ok(runs <= 4, `${runs} runs`)
    },
  ),

  engineCase(
    'signal.parallel',
    'two waits that time out one after the other share what comes meanwhile',
    async (world) => {
      const { executor, flow } = await started(world, async (ctx) => {
        const first = ctx.waitForSignal('go', { timeoutMs: 6_000 }).catch(() => 'late')
        const second = ctx.waitForSignal('go', { timeoutMs: 5_000 }).catch(() => 'late')
        const both = await Promise.all([first, second])
        const third = await ctx.waitForSignal('go', { timeoutMs: 5_000 }).catch(() => 'late')
        await ctx.sleep('nap', 5_000)
        return [...both, third]
      })
      for (const count of [0, 1, 2, 3]) {
        for (const at of [4_999, 5_000, 5_001, 5_999, 6_000, 6_001]) {
          const handle = await executor.enqueueTask(flow, undefined)
          await suspended(world, handle.getTaskExecutionId())
          await world.clock.advance(at)
          for (let number = 1; number <= count; number += 1) {
            await world.until(executor.signal(handle.getTaskExecutionId(), 'go', number))
          }
          const end = await world.finish(handle)
          const got = end.status === 'completed' ? (end.output as Array<unknown>) : []
          const taken = got.filter((one) => one !== 'late')
          const about = JSON.stringify({ count, at, got })
          assert.ok(taken.length >= Math.min(count, 1), about)
          // In their order, whichever of the waits got them.
          assert.deepEqual(
            taken.map(Number).toSorted((a, b) => a - b),
            taken.map((_, index) => index + 1),
            about,
          )
        }
      }
    },
  ),

  engineCase(
    'signal.same_again',
    'two waits are over together while signals come, and it is slow to write that they are',
    async (world) => {
      const { storage, hold, letGo } = holding(world)
      const seen: Array<string> = []
      const { executor, flow } = await started(
        world,
        async (ctx) => {
          const first = ctx.waitForSignal('go', { timeoutMs: 650 }).catch(() => 'late')
          const second = ctx.waitForSignal('go', { timeoutMs: 600 }).catch(() => 'late')
          seen.push(JSON.stringify(await Promise.all([first, second])))
          await ctx.sleep('nap', 5_000)
        },
        { storage },
      )
      const client = world.newExecutor()
      const handle = await executor.enqueueTask(flow, undefined)
      await world.clock.advance(500)
      hold()
      await world.clock.advance(200)
      await world.until(client.signal(handle.getTaskExecutionId(), 'go', 1))
      await world.until(client.signal(handle.getTaskExecutionId(), 'go', 2))
      letGo()
      assert.equal((await world.finish(handle)).status, 'completed')
      assert.equal(seen.length, 2)
      assert.equal(new Set(seen).size, 1, seen.join(' '))
    },
  ),
]
