/** Cases: children that the code of a run awaits. */

import assert from 'node:assert/strict'

import { DurableExecutionError } from '../../../base/errors.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { createGate, quickTask, untilRow, untilTrue, waitingTask } from './lives.ts'

export const AWAITED_RULES: Record<string, string> = {
  'awaited.output': 'A child that the code runs gives its output; many give theirs in the order of the list.',
  'awaited.once': 'A child that was started is not started again by another run of its parent.',
  'awaited.no_slot': 'A parent that waits for its children holds no slot.',
  'awaited.fails':
    'A child that ends badly rejects with its error, which says which execution it was; the parent goes on, and so do the others.',
  'awaited.cancelled': 'Children that run when their parent ends, however it ends, are cancelled.',
  'awaited.while_working': 'The end of a child is told to a parent that does something else meanwhile.',
  'awaited.nested': 'Children may have children of their own, to any depth that the limit allows.',
  'awaited.in_parents': 'The function of a parent task may run children too, but not leave them behind.',
  'awaited.refused': 'What is no child is refused.',
}

const HOUR = 3_600_000

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

  engineCase('awaited.fails', 'a failed child rejects, and its parent and siblings go on', async (world) => {
    const executor = world.newExecutor()
    const bad = quickTask(executor, 'bad', () => {
      throw new Error('broken')
    })
    const slow = executor.task({
      id: 'slow',
      timeoutMs: HOUR,
      run: async (ctx) => {
        await ctx.sleep('nap', 60_000)
        return 'slow and well'
      },
    })
    const flow = executor.task({
      id: 'flow',
      timeoutMs: HOUR,
      run: async (ctx) => {
        const sibling = ctx.runTask(slow, undefined)
        const error = await ctx.runTask(bad, 1).catch((thrown: unknown) => thrown)
        assert.ok(error instanceof DurableExecutionError)
        return [error.message, error.execution, await sibling]
      },
    })
    await world.until(executor.start())
    const handle = await executor.enqueueTask(flow, undefined)
    const end = await world.finish(handle)
    assert.deepEqual(end.status === 'completed' && end.output, [
      'broken',
      { taskId: 'bad', executionId: `${handle.getTaskExecutionId()}:bad:1` },
      'slow and well',
    ])
  }),

  engineCase('awaited.fails', 'an error that nobody catches ends the parent the same way', async (world) => {
    const executor = world.newExecutor()
    const bad = executor.task({ id: 'bad', timeoutMs: 1_000, run: async () => await new Promise(() => {}) })
    const flow = executor.task({
      id: 'flow',
      timeoutMs: HOUR,
      retryOptions: { maxAttempts: 3 },
      run: async (ctx) => await ctx.runTask(bad, undefined),
    })
    await world.until(executor.start())
    const end = await world.finish(await executor.enqueueTask(flow, undefined))
    assert.equal(end.status, 'timed_out')
    assert.equal(end.retryAttempts, 0)
  }),

  engineCase(
    'awaited.cancelled',
    'cancelling a parent cancels the children that it awaits, and theirs',
    async (world) => {
      const executor = world.newExecutor()
      const { task: leaf, started } = waitingTask(executor, 'leaf')
      const middle = executor.task({
        id: 'middle',
        timeoutMs: HOUR,
        run: async (ctx) => await ctx.runTask(leaf, 1),
      })
      const flow = executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        run: async (ctx) =>
          await ctx.runTasks([
            { task: middle, input: 1 },
            { task: leaf, input: 2 },
          ]),
      })
      await world.until(executor.start())
      const handle = await executor.enqueueTask(flow, undefined)
      await untilTrue(world, () => started.length === 2)
      assert.equal(await world.until(handle.cancel()), true)
      await world.clock.advance('5s')
      const rows = await world.rows()
      assert.deepEqual(
        rows.map(({ status, isClosed }) => [status, isClosed]),
        Array.from({ length: 4 }, () => ['cancelled', true]),
      )
      assert.equal(
        started.every(({ ctx }) => ctx.cancelSignal.isCancelled()),
        true,
      )
      for (const { gate } of started) {
        gate.open(0)
      }
    },
  ),

  engineCase(
    'awaited.cancelled',
    'a parent that fails, or ends without waiting, leaves no child behind',
    async (world) => {
      const executor = world.newExecutor()
      const { task: child, started } = waitingTask(executor, 'child')
      const flow = executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        run: async (ctx, isFailing: boolean) => {
          ctx.runTask(child, 1).catch(() => {})
          await ctx.step('work', async () => {
            await untilStarted.promise
          })
          if (isFailing) {
            throw new Error('broken')
          }
          return 'well'
        },
      })
      let untilStarted = createGate()
      await world.until(executor.start())
      for (const [index, isFailing] of [true, false].entries()) {
        untilStarted = createGate()
        const handle = await executor.enqueueTask(flow, isFailing)
        await untilTrue(world, () => started.length === index + 1)
        untilStarted.open()
        assert.equal((await world.finish(handle)).status, isFailing ? 'failed' : 'completed')
        const end = await untilRow(world, `${handle.getTaskExecutionId()}:child:1`, (row) => row.isClosed)
        assert.equal(end.status, 'cancelled')
        assert.match(
          end.error?.message ?? '',
          isFailing ? /failed: broken$/ : /failed: it ended without waiting for it$/,
        )
        await untilRow(world, handle.getTaskExecutionId(), (row) => row.isClosed)
        started.at(-1)?.gate.open(0)
      }
    },
  ),

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
    'awaited.in_parents',
    'a parent task may await children before it returns others',
    async (world) => {
      const executor = world.newExecutor()
      const child = executor.task({ id: 'child', timeoutMs: HOUR, run: (_ctx, input: number) => input + 1 })
      const parent = executor.parentTask({
        id: 'parent',
        timeoutMs: HOUR,
        runParent: async (ctx, input: number) => {
          const first = await ctx.runTask(child, input)
          return {
            output: first,
            childrenTasks: [
              { task: child, input: 10 },
              { task: child, input: 20 },
            ],
          }
        },
        finalizeTask: {
          id: 'sum',
          timeoutMs: HOUR,
          run: async (ctx, { output, childrenTasksOutputs }) => {
            const own = await ctx.step('own', () => 1)
            return childrenTasksOutputs.reduce((sum, one) => sum + (one.output as number), output + own)
          },
        },
      })
      await world.until(executor.start())
      const end = await world.finish(await executor.enqueueTask(parent, 1))
      assert.equal(end.status === 'completed' && end.output, 2 + 1 + 11 + 21)
    },
  ),

  engineCase(
    'awaited.in_parents',
    'a parent task that returns while it runs children fails',
    async (world) => {
      const executor = world.newExecutor()
      const { task: child, started } = waitingTask(executor, 'child')
      const parent = executor.parentTask({
        id: 'parent',
        timeoutMs: HOUR,
        runParent: async (ctx) => {
          ctx.runTask(child, 1).catch(() => {})
          await ctx.step('work', async () => {
            await new Promise<void>((resolve) => {
              world.clock.setTimer(3_000, resolve)
            })
          })
          return { output: 1 }
        },
      })
      await world.until(executor.start())
      const handle = await executor.enqueueTask(parent, undefined)
      const end = await world.finish(handle)
      assert.match(
        end.status === 'failed' ? end.error.message : '',
        /^Task parent returned while children that it started by ctx\.runTask were at work/,
      )
      await untilRow(
        world,
        `${handle.getTaskExecutionId()}:child:1`,
        (row) => row.status === 'cancelled' && row.isClosed,
      )
      started[0]?.gate.open(0)
    },
  ),

  engineCase('awaited.refused', 'what is no child is refused, and nothing is started', async (world) => {
    const executor = world.newExecutor()
    const flow = executor.task({
      id: 'flow',
      timeoutMs: HOUR,
      run: async (ctx) => {
        const messages: Array<string> = []
        const tell = async (call: Promise<unknown>): Promise<void> => {
          await call.catch((error: unknown) => messages.push((error as Error).message))
        }
        await tell(ctx.runTask({ id: 'nobody' }, 1))
        await tell(ctx.runTask(undefined as never, 1))
        await tell(ctx.runTasks('none' as never))
        await tell(ctx.runTasks([null] as never))
        await tell(ctx.runTask({ id: 'flow' }, () => 1))
        return messages
      },
    })
    await world.until(executor.start())
    const end = await world.finish(await executor.enqueueTask(flow, undefined))
    const messages = end.status === 'completed' ? end.output : []
    assert.deepEqual(
      messages.map((message) => message.slice(0, 27)),
      [
        'Child task nobody not found',
        'Invalid name for ctx.runTas',
        'ctx.runTasks needs an array',
        'Invalid name for ctx.runTas',
        'Error serializing value: Ca',
      ],
    )
    assert.equal((await world.rows()).length, 1)
  }),
]
