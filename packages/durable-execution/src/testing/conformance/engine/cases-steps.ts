/** Cases: steps are done once, and what they came to is remembered. */

import assert from 'node:assert/strict'

import { type DurableTaskRunContext } from '../../../task/context.ts'
import { createFaultyStorage } from '../../faults.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { HOUR } from './durable-lives.ts'
import { createGate, untilTrue } from './lives.ts'

export const STEP_RULES: Record<string, string> = {
  'step.once': 'A step whose result was committed is not done again; the code around it is.',
  'step.same_value': 'What a step gives is what every later run is given: its result, written and read.',
  'step.ordinals': 'The same name may be used many times; each call has a memory of its own.',
  'step.lost_reply': 'A result that was committed counts, though nobody heard of it.',
}

export const STEP_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'step.once',
    'after a crash the step is not done again, and the code around it is',
    async (world) => {
      const done: Array<string> = []
      const gate = createGate()
      const define = (name: string, options = {}): ReturnType<typeof world.newExecutor> => {
        const executor = world.newExecutor({ expireMs: 4_000, ...options })
        executor.task({
          id: 'flow',
          timeoutMs: HOUR,
          run: async (ctx: DurableTaskRunContext, input: number) => {
            done.push(`code ${name}`)
            const paid = await ctx.step('pay', () => {
              done.push(`pay ${name}`)
              return input + 1
            })
            if (name === 'first') {
              await gate.promise
            }
            return paid
          },
        })
        return executor
      }
      const first = define('first')
      await world.until(first.start())
      const handle = await first.enqueueTask<number, number>({ id: 'flow' }, 41)
      await untilTrue(world, () => done.length === 2)
      await world.clock.settle()
      world.kill(first)
      const second = define('second')
      await world.until(second.start())
      const end = await world.finish(
        await second.getTaskHandle<number, number>({ id: 'flow' }, handle.getTaskExecutionId()),
      )
      assert.equal(end.status === 'completed' && end.output, 42)
      assert.deepEqual(done, ['code first', 'pay first', 'code second'])
      gate.open()
    },
  ),

  engineCase(
    'step.same_value',
    'a result comes back as the serializer keeps it, the first time too',
    async (world) => {
      const executor = world.newExecutor()
      const made: Array<unknown> = []
      const task = executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        run: async (ctx) => {
          const original = { at: new Date(7), list: [1] }
          const given = await ctx.step('make', () => original)
          made.push(given, given === original)
          await ctx.sleep('nap', 5_000)
          return await ctx.step('nothing', () => undefined)
        },
      })
      await world.until(executor.start())
      const end = await world.finish(await executor.enqueueTask(task, undefined))
      assert.equal(end.status, 'completed')
      assert.deepEqual(made, [{ at: new Date(7), list: [1] }, false, { at: new Date(7), list: [1] }, false])
    },
  ),

  engineCase('step.ordinals', 'each call of a name in a loop has a result of its own', async (world) => {
    const executor = world.newExecutor()
    let calls = 0
    const task = executor.task({
      id: 'flow',
      timeoutMs: HOUR,
      run: async (ctx) => {
        const all: Array<number> = []
        for (let index = 0; index < 3; index += 1) {
          all.push(
            await ctx.step('next', () => {
              calls += 1
              return calls
            }),
          )
          await ctx.sleep('nap', 2_000)
        }
        return all
      },
    })
    await world.until(executor.start())
    const end = await world.finish(await executor.enqueueTask(task, undefined))
    assert.deepEqual(end.status === 'completed' && end.output, [1, 2, 3])
    assert.equal(calls, 3)
  }),

  engineCase('step.ordinals', 'names hold any character, and none is taken for another', async (world) => {
    const executor = world.newExecutor()
    const names = ['a', 'a:1', 'a:1:try:0.0', '!state', 'a%3a1', 'ä😀', 'x'.repeat(255), ' ', '__proto__']
    const task = executor.task({
      id: 'flow',
      timeoutMs: HOUR,
      run: async (ctx) => {
        const all: Array<string> = []
        for (const name of [...names, 'a']) {
          all.push(await ctx.step(name, () => `${name} ${all.length}`))
        }
        await ctx.sleep('nap', 2_000)
        return all
      },
    })
    await world.until(executor.start())
    const end = await world.finish(await executor.enqueueTask(task, undefined))
    assert.deepEqual(
      end.status === 'completed' && end.output,
      [...names, 'a'].map((name, index) => `${name} ${index}`),
    )
  }),

  engineCase(
    'step.lost_reply',
    'a result whose commit was not acknowledged is written once, and counts',
    async (world) => {
      const storage = createFaultyStorage(world.storage)
      const executor = world.newExecutor({ storage })
      let calls = 0
      const task = executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        run: async (ctx) => {
          let faults = 1
          storage.failAtCommitWhen(({ operations }) =>
            operations.includes('insertTaskExecutions') && faults-- > 0 ? 'lost_reply' : undefined,
          )
          const first = await ctx.step('pay', () => {
            calls += 1
            return calls
          })
          return first + (await ctx.step('pay', () => 10))
        },
      })
      await world.until(executor.start())
      const end = await world.finish(await executor.enqueueTask(task, undefined))
      assert.equal(end.status === 'completed' && end.output, 11)
      assert.equal(calls, 1)
    },
  ),
]
