/** Cases: awaited children that end badly, and those whose parent ends before them. */

import assert from 'node:assert/strict'

import { DurableExecutionError } from '../../../base/errors.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { HOUR } from './durable-lives.ts'
import { createFaultyStorage } from '../../faults.ts'
import { createGate, isWrite, quickTask, speaksOf, untilRow, untilTrue, waitingTask } from './lives.ts'

export const AWAITED_END_RULES: Record<string, string> = {
  'awaited.fails':
    'A child that ends badly rejects with its error, which says which execution it was; the parent goes on, and so do the others.',
  'awaited.cancelled': 'Children that run when their parent ends, however it ends, are cancelled.',
  'awaited.refused': 'What is no child is refused.',
}

export const AWAITED_END_CASES: Array<EngineConformanceCase> = [
  engineCase('awaited.fails', 'a failed child rejects, and its parent and siblings go on', async (world) => {
    const executor = world.newExecutor()
    const bad = quickTask(executor, 'bad', () => {
      throw new Error('broken')
    })
    const slow = executor.task({
      id: 'slow',
      timeoutMs: HOUR,
      run: async (ctx) => {
        await ctx.sleep('nap', 10_000)
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
    'awaited.cancelled',
    'children are cancelled also where the run that started them ended before it heard that they exist',
    async (world) => {
      for (const timeoutMs of [20, 2_000]) {
        const storage = createFaultyStorage(world.storage)
        const executor = world.newExecutor({ storage })
        const { task: part } = waitingTask(executor, 'part')
        const gate = createGate()
        const flow = executor.task({
          id: 'flow',
          timeoutMs,
          run: async (ctx) => {
            await Promise.all([
              ctx.runTask(part, 1),
              // While this is at work what waits for the child stays here.
              ctx.step('slow', async () => {
                await gate.promise
              }),
            ])
          },
        })
        let lost = 0
        storage.failAtCommitWhen(({ calls }) => {
          const isOfChild = calls.some((call) => isWrite(call) && speaksOf(call, '"childrenTasks":[{'))
          lost += isOfChild ? 1 : 0
          return isOfChild ? 'lost_reply' : undefined
        })
        await world.until(executor.start())
        const handle = await executor.enqueueTask(flow, undefined)
        assert.equal((await world.finish(handle)).status, 'timed_out')
        assert.ok(lost > 0)
        storage.failAtCommitWhen(undefined)
        const childId = `${handle.getTaskExecutionId()}:part:1`
        await untilRow(world, childId, (row) => row.isClosed)
        assert.equal((await world.row(childId)).status, 'cancelled')
        await untilRow(world, handle.getTaskExecutionId(), (row) => row.isClosed)
        gate.open()
        await world.until(executor.shutdown())
      }
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
        await tell(ctx.runTasks([{ task: 'flow', options: { name: 'flow' } }] as never))
        await tell(ctx.runTask({ id: 'flow' }, () => 1))
        return messages
      },
    })
    await world.until(executor.start())
    const end = await world.finish(await executor.enqueueTask(flow, undefined))
    const messages = end.status === 'completed' ? end.output : []
    assert.deepEqual(
      messages.map((message) => message.slice(0, 43)),
      [
        'Child task nobody not found',
        'ctx.runTask got a child without a task; a c',
        'ctx.runTasks needs an array of children: { ',
        'ctx.runTasks got a child without a task; a ',
        'ctx.runTasks got a child without a task; a ',
        'Error serializing value: Cannot serialize a',
      ],
    )
    assert.equal((await world.rows()).length, 1)
  }),
]
