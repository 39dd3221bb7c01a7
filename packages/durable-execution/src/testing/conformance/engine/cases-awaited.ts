/** Cases: children that the code of a run awaits. */

import assert from 'node:assert/strict'

import { type EngineConformanceCase, engineCase } from './case.ts'
import { createFaultyStorage } from '../../faults.ts'
import { HOUR } from './durable-lives.ts'
import { createGate, quickTask, untilTrue } from './lives.ts'

export const AWAITED_RULES: Record<string, string> = {
  'awaited.output': 'A child that the code runs gives its output; many give theirs in the order of the list.',
  'awaited.once': 'A child that was started is not started again by another run of its parent.',
  'awaited.no_slot': 'A parent that waits for its children holds no slot.',
  'awaited.while_working': 'The end of a child is told to a parent that does something else meanwhile.',
  'awaited.nested': 'Children may have children of their own, to any depth that the limit allows.',
}

export const AWAITED_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'awaited.output',
    'one child and three of two tasks give their outputs in order',
    async (world) => {
      const executor = world.newExecutor()
      const double = executor.task({ id: 'double', timeoutMs: HOUR, run: (_ctx, input: number) => input * 2 })
      const shout = executor.task({
        id: 'shout',
        timeoutMs: HOUR,
        run: (_ctx, input: string) => input.toUpperCase(),
      })
      const flow = executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        run: async (ctx) => [
          await ctx.runTask(double, 1),
          await ctx.runTasks([
            { task: double, input: 2 },
            { task: shout, input: 'a' },
            { task: double, input: 3 },
          ]),
          await ctx.runTask(shout, 'b', { name: 'again' }),
          await ctx.runTasks([]),
        ],
      })
      await world.until(executor.start())
      const end = await world.finish(await executor.enqueueTask(flow, undefined))
      assert.deepEqual(end.status === 'completed' && end.output, [2, [4, 'A', 6], 'B', []])
      assert.equal((await world.rows()).filter(({ taskId }) => taskId === 'double').length, 3)
    },
  ),

  engineCase(
    'awaited.while_working',
    'children of two tasks that are waited for leave a step alone that is at work beside them',
    async (world) => {
      const executor = world.newExecutor()
      const gate = createGate<string>()
      const slow = executor.task({
        id: 'slow',
        timeoutMs: HOUR,
        run: async (ctx, input: number) => {
          await ctx.sleep('nap', 20_000)
          return input
        },
      })
      const other = executor.task({ id: 'other', timeoutMs: HOUR, run: (_ctx, input: number) => input })
      let steps = 0
      const flow = executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        run: async (ctx) =>
          await Promise.all([
            ctx.step('work', async () => {
              steps += 1
              return await gate.promise
            }),
            ctx.runTasks([
              { task: slow, input: 1 },
              { task: other, input: 2 },
            ]),
          ]),
      })
      await world.until(executor.start())
      const handle = await executor.enqueueTask(flow, undefined)
      await untilTrue(world, () => steps === 1)
      await world.clock.advance('5s')
      assert.equal((await world.row(handle.getTaskExecutionId())).status, 'running')
      gate.open('done')
      const end = await world.finish(handle)
      assert.deepEqual(end.status === 'completed' && end.output, ['done', [1, 2]])
      assert.equal(steps, 1)
    },
  ),

  engineCase(
    'awaited.once',
    'a parent whose process died finds the child that it had started',
    async (world) => {
      const ran: Array<number> = []
      const gate = createGate()
      const define = (): ReturnType<typeof world.newExecutor> => {
        const executor = world.newExecutor({ expireMs: 4_000 })
        const child = executor.task({
          id: 'child',
          timeoutMs: HOUR,
          run: async (_ctx, input: number) => {
            ran.push(input)
            await gate.promise
            return input + 1
          },
        })
        executor.task({ id: 'flow', timeoutMs: HOUR, run: async (ctx) => await ctx.runTask(child, 1) })
        return executor
      }
      const first = define()
      await world.until(first.start())
      const handle = await first.enqueueTask({ id: 'flow' }, undefined)
      await untilTrue(world, () => ran.length === 1)
      world.kill(first)
      const second = define()
      await world.until(second.start())
      await untilTrue(world, () => ran.length === 2)
      gate.open()
      const end = await world.finish(await second.getTaskHandle({ id: 'flow' }, handle.getTaskExecutionId()))
      assert.equal(end.status === 'completed' && end.output, 2)
      assert.equal((await world.rows()).length, 2)
    },
  ),

  engineCase('awaited.no_slot', 'with one slot, parents and children take turns', async (world) => {
    const executor = world.newExecutor({ maxConcurrentTaskExecutions: 1 })
    const child = executor.task({ id: 'child', timeoutMs: HOUR, run: (_ctx, input: number) => input })
    const flow = executor.task({
      id: 'flow',
      timeoutMs: HOUR,
      run: async (ctx, input: number) => {
        const all = await ctx.runTasks([1, 2, 3].map((of) => ({ task: child, input: of * input })))
        return all.reduce((sum, one) => sum + one, 0)
      },
    })
    await world.until(executor.start())
    const handles = await executor.enqueueTasks(flow, [1, 10])
    const ends = await world.until(
      Promise.all(handles.map((handle) => handle.waitAndGetTaskFinishedExecution())),
    )
    assert.deepEqual(
      ends.map((end) => end.status === 'completed' && end.output),
      [6, 60],
    )
  }),

  engineCase(
    'awaited.while_working',
    'a child that ends while its parent works on is noticed',
    async (world) => {
      const executor = world.newExecutor()
      const gate = createGate<string>()
      const child = quickTask(executor, 'child', () => 'quick')
      const flow = executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        run: async (ctx) => {
          const work = ctx.step('slow', async () => await gate.promise)
          const first = await Promise.race([work, ctx.runTask(child, 1)])
          return first
        },
      })
      await world.until(executor.start())
      const end = await world.finish(await executor.enqueueTask(flow, undefined), 5_000)
      assert.equal(end.status === 'completed' && end.output, 'quick')
      gate.open('late')
      await world.clock.settle()
    },
  ),

  engineCase(
    'awaited.nested',
    'a chain of six executions, each the child of the one before',
    async (world) => {
      const executor = world.newExecutor()
      const flow = executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        run: async (ctx, left: number): Promise<number> => {
          const step = await ctx.step('one', () => 1)
          return left === 0 ? step : step + (await ctx.runTask<number, number>({ id: 'flow' }, left - 1))
        },
      })
      await world.until(executor.start())
      const end = await world.finish(await executor.enqueueTask(flow, 5))
      assert.equal(end.status === 'completed' && end.output, 6)
      const ids = (await world.rows()).map(({ executionId }) => executionId)
      assert.equal(new Set(ids).size, 12)
      assert.ok(ids.every((id) => id.length < 100))
    },
  ),

  engineCase(
    'awaited.once',
    'children whose start was committed and not acknowledged are started once',
    async (world) => {
      const storage = createFaultyStorage(world.storage)
      const executor = world.newExecutor({ storage })
      const ran: Array<number> = []
      const child = executor.task({
        id: 'child',
        timeoutMs: HOUR,
        run: (_ctx, input: number) => {
          ran.push(input)
          return input
        },
      })
      const flow = executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        run: async (ctx) => await ctx.runTasks([1, 2].map((input) => ({ task: child, input }))),
      })
      let faults = 2
      storage.failAtCommitWhen(({ calls }) =>
        JSON.stringify(calls).includes(':child:2') && faults-- > 0 ? 'lost_reply' : undefined,
      )
      await world.until(executor.start())
      const end = await world.finish(await executor.enqueueTask(flow, undefined))
      assert.deepEqual(end.status === 'completed' && end.output, [1, 2])
      assert.deepEqual(
        ran.toSorted((a, b) => a - b),
        [1, 2],
      )
      assert.equal((await world.rows()).length, 3)
      assert.ok(faults <= 0)
    },
  ),
]
