/** Cases: steps that are at work at the same time. */

import assert from 'node:assert/strict'

import { type EngineConformanceCase, engineCase } from './case.ts'
import { HOUR } from './durable-lives.ts'
import { createGate, untilTrue } from './lives.ts'

export const PARALLEL_STEP_RULES: Record<string, string> = {
  'step.parallel': 'Steps run in parallel, and each is remembered by itself.',
}

export const PARALLEL_STEP_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'step.parallel',
    'of parallel steps those that were committed are not done again',
    async (world) => {
      const done: Array<string> = []
      const gate = createGate<number>()
      const define = (name: string): ReturnType<typeof world.newExecutor> => {
        const executor = world.newExecutor({ expireMs: 4_000 })
        executor.task({
          id: 'flow',
          timeoutMs: HOUR,
          run: async (ctx) =>
            await Promise.all(
              [1, 2, 3].map(
                async (number) =>
                  await ctx.step(`part ${number}`, async () => {
                    done.push(`${number} ${name}`)
                    return number === 2 && name === 'first' ? await gate.promise : number
                  }),
              ),
            ),
        })
        return executor
      }
      const first = define('first')
      await world.until(first.start())
      const handle = await first.enqueueTask({ id: 'flow' }, undefined)
      await untilTrue(world, () => done.length === 3)
      await world.clock.settle()
      world.kill(first)
      const second = define('second')
      await world.until(second.start())
      const end = await world.finish(await second.getTaskHandle({ id: 'flow' }, handle.getTaskExecutionId()))
      assert.deepEqual(end.status === 'completed' && end.output, [1, 2, 3])
      assert.deepEqual(done, ['1 first', '2 first', '3 first', '2 second'])
      gate.open(0)
    },
  ),

  engineCase(
    'step.parallel',
    'when one fails and nobody catches that, the others are told, and done again by the next attempt',
    async (world) => {
      const executor = world.newExecutor()
      const done: Array<string> = []
      const told: Array<unknown> = []
      const task = executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        retryOptions: { maxAttempts: 1 },
        run: async (ctx) =>
          await Promise.all([
            ctx.step('quick', () => done.push('quick')),
            ctx.step('slow', async ({ abortSignal }) => {
              done.push('slow')
              if (ctx.attempt === 0) {
                await new Promise((resolve) => {
                  abortSignal.addEventListener('abort', resolve)
                })
                told.push((abortSignal.reason as Error).message)
              }
              return 'slow'
            }),
            ctx.step('bad', () => {
              done.push('bad')
              if (ctx.attempt === 0) {
                throw new Error('bad')
              }
            }),
          ]),
      })
      await world.until(executor.start())
      const end = await world.finish(await executor.enqueueTask(task, undefined))
      assert.deepEqual(end.status === 'completed' && end.output, [1, 'slow', undefined])
      assert.equal(end.retryAttempts, 1)
      assert.deepEqual(done, ['quick', 'slow', 'bad', 'slow', 'bad'])
      assert.deepEqual(told, ['Task ended without waiting for it'])
      assert.equal(executor.getRunningTaskExecutionIds().size, 0)
    },
  ),

  engineCase('step.parallel', 'of those that are all waited for each is done once', async (world) => {
    const executor = world.newExecutor()
    const done: Array<string> = []
    const seen: Array<Array<string>> = []
    const task = executor.task({
      id: 'flow',
      timeoutMs: HOUR,
      run: async (ctx) => {
        const ends = await Promise.allSettled([
          ctx.step('bad', () => {
            done.push('bad')
            throw new Error('bad')
          }),
          ctx.step('slow', async () => {
            done.push('slow')
            await new Promise<void>((resolve) => {
              world.clock.setTimer(1_500, resolve)
            })
          }),
          ctx.sleep('short', 10),
        ])
        seen.push(ends.map(({ status }) => status))
        await ctx.sleep('nap', 3_000)
      },
    })
    await world.until(executor.start())
    assert.equal((await world.finish(await executor.enqueueTask(task, undefined))).status, 'completed')
    assert.deepEqual(done, ['bad', 'slow'])
    assert.equal(seen.length, 2)
    for (const statuses of seen) {
      assert.deepEqual(statuses, ['rejected', 'fulfilled', 'fulfilled'])
    }
  }),

  engineCase('step.parallel', 'who won a race is kept by a step', async (world) => {
    const executor = world.newExecutor()
    const seen: Array<Array<string>> = []
    const task = executor.task({
      id: 'flow',
      timeoutMs: HOUR,
      run: async (ctx) => {
        const first = await Promise.race([
          ctx.step('slow', async () => {
            await new Promise<void>((resolve) => {
              world.clock.setTimer(500, resolve)
            })
            return 'slow'
          }),
          ctx.step('quick', () => 'quick'),
        ])
        const winner = await ctx.step('winner', () => first)
        await ctx.sleep('nap', 3_000)
        seen.push([first, winner])
        return winner
      },
    })
    await world.until(executor.start())
    const end = await world.finish(await executor.enqueueTask(task, undefined))
    assert.equal(end.status === 'completed' && end.output, 'quick')
    assert.deepEqual(seen, [['slow', 'quick']])
  }),
]
