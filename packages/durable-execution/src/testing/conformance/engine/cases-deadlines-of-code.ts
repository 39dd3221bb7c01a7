/** Cases: executions whose deadline passes while they wait in code. */

import assert from 'node:assert/strict'

import { type DurableTaskRunContext } from '../../../task/context.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { HOUR } from './durable-lives.ts'
import { untilRow, waitingTask } from './lives.ts'

export const CODE_DEADLINE_RULES: Record<string, string> = {
  'code.deadline': 'Whatever code waits for, its execution times out at its deadline.',
  'code.deadline_below': 'Children that code awaits end by the deadline of their parent.',
  'code.deadline_undone': 'What undoes an execution is not bound by its deadline.',
}

/** What code may wait for, for longer than the deadline allows. */
const WAITS: Record<string, (ctx: DurableTaskRunContext) => Promise<unknown>> = {
  'a sleep': async (ctx) => {
    await ctx.sleep('long', HOUR)
  },
  'a signal': async (ctx) => await ctx.waitForSignal('never'),
  'a signal for a while': async (ctx) => await ctx.waitForSignal('never', { timeoutMs: HOUR }),
  'the next try of a step': async (ctx) =>
    await ctx.step(
      'bad',
      () => {
        throw new Error('bad')
      },
      { retryOptions: { maxAttempts: 1, baseDelayMs: HOUR } },
    ),
  'a step': async (ctx) =>
    await ctx.step('slow', async ({ abortSignal }) => {
      await new Promise((resolve) => {
        abortSignal.addEventListener('abort', resolve)
      })
    }),
}

export const CODE_DEADLINE_CASES: Array<EngineConformanceCase> = [
  engineCase('code.deadline', 'whatever it waits for, it ends at its deadline', async (world) => {
    const executor = world.newExecutor()
    let isPastDeadline = false
    executor.task({
      id: 'flow',
      timeoutMs: HOUR,
      retryOptions: { maxAttempts: 3 },
      run: async (ctx, what: string) => {
        await ctx.step('before', () => 1)
        isPastDeadline ||= world.clock.now() >= dueAt
        await WAITS[what]?.(ctx).catch((error: unknown) => {
          isPastDeadline = true
          throw error
        })
        isPastDeadline = true
      },
    })
    await world.until(executor.start())
    const dueAt = world.clock.now() + 5_000
    const handles = await world.until(
      executor.enqueueTasks<string, unknown>({ id: 'flow' }, Object.keys(WAITS), { deadlineMs: 5_000 }),
    )
    for (const [index, what] of Object.keys(WAITS).entries()) {
      const handle = handles[index]
      assert.ok(handle)
      const end = await world.finish(handle)
      assert.equal(end.status, 'timed_out', what)
      assert.match(end.error.message, /^Task deadline exceeded/)
      assert.equal(end.error.isRetryable, false)
      const tookMs = end.finishedAt.getTime() - end.createdAt.getTime()
      assert.ok(tookMs >= 5_000 && tookMs <= 5_700, `${what}: ${tookMs} ms`)
    }
    assert.equal(isPastDeadline, false)
  }),

  engineCase(
    'code.deadline_below',
    'a parent that awaits children past its deadline times out, and so do they',
    async (world) => {
      const executor = world.newExecutor()
      const { task: child, started } = waitingTask(executor, 'child')
      const flow = executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        run: async (ctx) =>
          await ctx
            .runTasks([
              { task: child, input: 1 },
              { task: child, input: 2, options: { sleepMsBeforeRun: HOUR } },
              { task: child, input: 3, options: { deadlineMs: 1_000 } },
            ])
            .catch(async () => await ctx.sleep('what is left', HOUR)),
      })
      await world.until(executor.start())
      const handle = await world.until(executor.enqueueTask(flow, undefined, { deadlineMs: 4_000 }))
      const { deadlineAt } = await untilRow(
        world,
        handle.getTaskExecutionId(),
        (row) => row.status === 'ready',
      )
      const end = await world.finish(handle)
      assert.equal(end.status, 'timed_out')
      assert.match(end.error.message, /^Task deadline exceeded/)
      await untilRow(world, handle.getTaskExecutionId(), (row) => row.isClosed)
      const rows = (await world.rows()).filter(({ taskId }) => taskId === 'child')
      assert.deepEqual(
        rows.map((row) => row.deadlineAt?.getTime()),
        [0, 0, -3_000].map((ms) => (deadlineAt?.getTime() ?? NaN) + ms),
      )
      for (const row of rows) {
        // Each is ended by its own deadline, or by the end of its parent, which has the same one.
        assert.ok(row.status === 'timed_out' || row.status === 'cancelled', row.status)
        assert.equal(row.isClosed, true)
        assert.ok((row.finishedAt?.getTime() ?? NaN) <= (deadlineAt?.getTime() ?? NaN) + 1_000)
      }
      for (const { gate } of started) {
        gate.open(0)
      }
    },
  ),

  engineCase('code.deadline_undone', 'what it did is undone after its deadline', async (world) => {
    const executor = world.newExecutor()
    const undone: Array<number> = []
    const flow = executor.task({
      id: 'flow',
      timeoutMs: HOUR,
      run: async (ctx) => {
        await ctx.compensate('undo', ({ attempt }) => {
          undone.push(attempt)
          if (attempt < 2) {
            throw new Error('not yet')
          }
        })
        await ctx.sleep('long', HOUR)
      },
    })
    await world.until(executor.start())
    const handle = await world.until(executor.enqueueTask(flow, undefined, { deadlineMs: 3_000 }))
    assert.equal((await world.finish(handle)).status, 'timed_out')
    const id = `${handle.getTaskExecutionId()}!compensation`
    await untilRow(world, handle.getTaskExecutionId(), (row) => row.isClosed)
    const row = await untilRow(world, id, ({ isClosed }) => isClosed)
    assert.equal(row.status, 'completed')
    assert.equal(row.deadlineAt, undefined)
    assert.deepEqual(undone, [0, 1, 2])
  }),
]
