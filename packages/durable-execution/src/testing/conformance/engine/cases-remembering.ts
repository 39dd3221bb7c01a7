/** Cases: what can be remembered, how much, and what that costs. */

import assert from 'node:assert/strict'

import { type DurableTaskRunContext } from '../../../task/context.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { HOUR } from './durable-lives.ts'

export const REMEMBERING_RULES: Record<string, string> = {
  'step.refused': 'What cannot be remembered, and what no step can be, is refused clearly.',
  'step.linear': 'Steps without a wait between them cost the same each, however many there are.',
}

export const REMEMBERING_CASES: Array<EngineConformanceCase> = [
  engineCase('step.refused', 'a result that cannot be kept is an error of the step', async (world) => {
    const executor = world.newExecutor()
    const messages: Array<string> = []
    const task = executor.task({
      id: 'flow',
      timeoutMs: HOUR,
      run: async (ctx) => {
        const tell = async (call: () => Promise<unknown>): Promise<void> => {
          await call().catch((error: unknown) => messages.push((error as Error).message))
        }
        await tell(async () => await ctx.step('fn', () => () => 1))
        await tell(async () => await ctx.step('', () => 1))
        await tell(async () => await ctx.step('x'.repeat(256), () => 1))
        await tell(async () => await ctx.step('\ud800', () => 1))
        await tell(async () => await ctx.step(7 as never, () => 1))
        await tell(async () => await ctx.step('none', undefined as never))
        await tell(async () => await ctx.step('odd', () => 1, { timeoutMs: 0 }))
        await tell(async () => await ctx.step('odd', () => 1, { retryOptions: { maxAttempts: NaN } }))
        return messages.length
      },
    })
    await world.until(executor.start())
    const end = await world.finish(await executor.enqueueTask(task, undefined))
    assert.equal(end.status === 'completed' && end.output, 8)
    assert.match(messages[0] ?? '', /^Error serializing value/)
    for (const message of messages.slice(1, 5)) {
      assert.match(message, /^Invalid name for ctx\.step: must be a text of 1 to 255 characters/)
    }
    assert.equal(messages[5], 'Step none needs a function')
    assert.match(messages[6] ?? '', /^Invalid timeoutMs for step odd/)
    assert.match(
      messages[7] ?? '',
      /^Invalid retry options for task step odd|^Invalid retry options for step odd/,
    )
  }),

  engineCase('step.refused', 'a call after the run has ended is refused', async (world) => {
    const executor = world.newExecutor()
    let kept: DurableTaskRunContext | undefined
    const task = executor.task({
      id: 'flow',
      timeoutMs: HOUR,
      run: (ctx) => {
        kept = ctx
        return 'over'
      },
    })
    await world.until(executor.start())
    assert.equal((await world.finish(await executor.enqueueTask(task, undefined))).status, 'completed')
    await assert.rejects(
      async () => await kept?.step('late', () => 1),
      /^DurableExecutionError: ctx\.step was called after the run had ended\./,
    )
  }),

  engineCase('step.linear', 'a hundred steps cost ten times what ten do', async (world) => {
    let calls = 0
    const counted = { ...world.storage }
    counted.withTransaction = async (fn, hint) => {
      calls += 1
      return await world.storage.withTransaction(fn, hint)
    }
    const working = world.newExecutor({ storage: counted })
    const task = working.task({
      id: 'flow',
      timeoutMs: HOUR,
      run: async (ctx, steps: number) => {
        for (let index = 0; index < steps; index += 1) {
          await ctx.step('one', () => index)
        }
        return steps
      },
    })
    await world.until(working.start())
    const costOf = async (steps: number): Promise<number> => {
      const before = calls
      await world.finish(await working.enqueueTask(task, steps))
      return calls - before
    }
    const few = await costOf(10)
    const many = await costOf(100)
    assert.ok(many <= few + 2 * 90 + 40, `${few} transactions for 10 steps, ${many} for 100`)
  }),
]
