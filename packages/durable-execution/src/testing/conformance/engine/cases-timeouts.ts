/** Cases: attempts that take too long, and functions that do not end. */

import assert from 'node:assert/strict'

import { DurableExecutionTimedOutError } from '../../../base/errors.ts'
import { type DurableTaskHandle } from '../../../client/handle.ts'
import { type DurableExecutor } from '../../../executor/executor.ts'
import { type DurableTaskRunContext } from '../../../task/context.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { type EngineWorld } from './world.ts'

/** A task of which the test holds the end of each attempt in its hands. */
type HeldTask = {
  executor: DurableExecutor
  contexts: Array<DurableTaskRunContext>
  /** Ends the attempt of that number. */
  end: Array<(output: string) => void>
  handle: DurableTaskHandle<string>
}

async function enqueueHeld(
  world: EngineWorld,
  options: { maxAttempts?: number; timeoutMs?: number; maxConcurrentTaskExecutions?: number } = {},
): Promise<HeldTask> {
  const { maxAttempts = 0, timeoutMs = 1_000, maxConcurrentTaskExecutions = 100 } = options
  const executor = world.newExecutor({ maxConcurrentTaskExecutions })
  const contexts: Array<DurableTaskRunContext> = []
  const end: HeldTask['end'] = []
  const task = executor.task({
    id: 'held',
    timeoutMs,
    retryOptions: { maxAttempts },
    run: (ctx) => {
      contexts.push(ctx)
      return new Promise<string>((resolve) => {
        end.push(resolve)
      })
    },
  })
  await executor.start()
  return { executor, contexts, end, handle: await executor.enqueueTask(task, undefined) }
}

const timeoutCases: Array<EngineConformanceCase> = [
  engineCase(
    'timeout.signal',
    'when the time is over the signals of the attempt fire, with the reason',
    async (world) => {
      const { contexts, end } = await enqueueHeld(world)
      await world.clock.advance(900)
      const [ctx] = contexts
      assert.ok(ctx !== undefined)
      const { abortSignal } = ctx
      assert.equal(ctx.cancelSignal.isCancelled(), false)
      assert.equal(abortSignal.aborted, false)
      await world.clock.advance(200)
      assert.equal(ctx.cancelSignal.isCancelled(), true)
      assert.equal(abortSignal.aborted, true)
      assert.ok(abortSignal.reason instanceof DurableExecutionTimedOutError)
      end[0]?.('late')
    },
  ),

  engineCase(
    'timeout.signal',
    'an abort signal that is first looked at after the timeout is aborted',
    async (world) => {
      const { contexts, end } = await enqueueHeld(world)
      await world.clock.advance(1_100)
      assert.equal(contexts[0]?.abortSignal.aborted, true)
      assert.ok(contexts[0]?.abortSignal.reason instanceof DurableExecutionTimedOutError)
      end[0]?.('late')
    },
  ),

  engineCase(
    'timeout.ends_attempt',
    'the attempt ends as timed out, whatever the function returns afterwards',
    async (world) => {
      const { contexts, end, handle } = await enqueueHeld(world)
      await world.clock.advance(500)
      contexts[0]?.cancelSignal.onCancelled(() => end[0]?.('at the last moment'))
      const finished = await world.finish(handle, 5_000)
      assert.equal(finished.status, 'timed_out')
      assert.equal(finished.error.message, 'Task timed out')
      assert.ok(finished.error instanceof DurableExecutionTimedOutError)
      const took = finished.finishedAt.getTime() - finished.startedAt.getTime()
      assert.ok(took >= 1_000 && took <= 1_100, `${took} ms`)
    },
  ),

  engineCase(
    'timeout.is_retryable',
    'a timeout is retried like any error, and bounds each attempt anew',
    async (world) => {
      const { contexts, end, handle } = await enqueueHeld(world, { maxAttempts: 1 })
      await world.clock.advance(500)
      contexts[0]?.cancelSignal.onCancelled(() => end[0]?.('late'))
      await world.clock.advance(700)
      assert.equal(contexts.length, 2)
      assert.deepEqual(contexts[1]?.prevError, {
        errorType: 'timed_out',
        message: 'Task timed out',
        isRetryable: true,
      })
      // 1,700 ms after the first attempt began, 700 ms after the second.
      await world.clock.advance(500)
      end[1]?.('in time')
      assert.equal((await world.finish(handle)).status, 'completed')
    },
  ),

  engineCase(
    'timeout.enough',
    'a function that ends in time is not timed out, and leaves no timer',
    async (world) => {
      const { end, handle, executor } = await enqueueHeld(world)
      await world.clock.advance(900)
      end[0]?.('in time')
      assert.equal((await world.finish(handle)).status, 'completed')
      await world.until(executor.shutdown())
      assert.equal(world.clock.pendingTimers(), 0)
    },
  ),
]

const abandonCases: Array<EngineConformanceCase> = [
  engineCase(
    'abandon.row_at_once',
    'the row of a retry is written at once, though the old function goes on',
    async (world) => {
      const { contexts, end, handle } = await enqueueHeld(world, { maxAttempts: 1 })
      await world.clock.advance(1_100)
      const row = await world.row(handle.getTaskExecutionId())
      assert.equal(row.status, 'ready')
      assert.equal(row.retryAttempts, 1)
      assert.equal(contexts.length, 1)
      end[0]?.('late')
      await world.clock.advance(100)
      end[1]?.('in time')
      assert.equal((await world.finish(handle)).status, 'completed')
    },
  ),

  engineCase(
    'abandon.waits_for_end',
    'the same executor begins the retry as soon as the old function has ended',
    async (world) => {
      const { contexts, end } = await enqueueHeld(world, { maxAttempts: 1 })
      await world.clock.advance(1_400)
      assert.equal(contexts.length, 1)
      end[0]?.('late')
      await world.clock.settle()
      assert.equal(contexts.length, 2)
      end[1]?.('in time')
    },
  ),

  engineCase(
    'abandon.no_busy_waiting',
    'the wait for the old function costs no more than the polls',
    async (world) => {
      let claims = 0
      const executor = world.newExecutor({
        storage: {
          withTransaction: (fn, hint) => {
            claims += 1
            return world.storage.withTransaction(fn, hint)
          },
        },
      })
      const stuck = executor.task({
        id: 'stuck',
        timeoutMs: 1_000,
        retryOptions: { maxAttempts: 1, baseDelayMs: 0 },
        run: (ctx) => (ctx.attempt === 0 ? new Promise<string>(() => {}) : 'ok'),
      })
      await executor.start()
      const handle = await executor.enqueueTask(stuck, undefined)
      await world.clock.advance(1_100)
      const before = claims
      await world.clock.advance(800)
      assert.ok(claims - before < 40, `${claims - before} transactions in 800 ms`)
      assert.equal((await world.finish(handle)).status, 'completed')
    },
  ),

  engineCase(
    'abandon.after_a_second',
    'after a second the old function is abandoned, and the retry begins',
    async (world) => {
      const { executor, contexts, end, handle } = await enqueueHeld(world, { maxAttempts: 1 })
      await world.clock.advance(1_900)
      assert.equal(contexts.length, 1)
      await world.clock.advance(200)
      assert.equal(contexts.length, 2)
      assert.deepEqual([...executor.getRunningTaskExecutionIds()], [handle.getTaskExecutionId()])
      end[1]?.('second')
      const finished = await world.finish(handle)
      assert.equal(finished.status === 'completed' && finished.output, 'second')
    },
  ),

  engineCase('abandon.logged', 'that a function is abandoned is logged', async (world) => {
    const { handle } = await enqueueHeld(world)
    await world.clock.advance(2_500)
    const lines = world.logs.filter(({ message }) => message.includes('abandoned'))
    assert.equal(lines.length, 1)
    assert.ok(lines[0]?.message.includes(handle.getTaskExecutionId()))
  }),

  engineCase('abandon.frees_slot', 'an abandoned function takes no slot', async (world) => {
    const { executor } = await enqueueHeld(world, { maxConcurrentTaskExecutions: 1 })
    const other = executor.task({ id: 'other', timeoutMs: 1_000, run: () => 'done' })
    await world.clock.advance(100)
    const handle = await executor.enqueueTask(other, undefined)
    await world.clock.advance(1_700)
    assert.equal((await handle.getTaskExecution()).status, 'ready')
    await world.clock.advance(300)
    assert.equal((await handle.getTaskExecution()).status, 'completed')
    assert.equal(executor.getRunningTaskExecutionIds().size, 0)
  }),

  engineCase('abandon.not_waited_for', 'shutdown does not wait for an abandoned function', async (world) => {
    const { executor } = await enqueueHeld(world)
    await world.clock.advance(2_500)
    await world.until(executor.shutdown(), 1_000)
  }),

  engineCase(
    'abandon.not_waited_for',
    'a shutdown without a limit ends a second after the timeout of what does not stop',
    async (world) => {
      const { executor, handle } = await enqueueHeld(world)
      await world.clock.advance(100)
      await world.until(executor.shutdown(), 2_100)
      assert.equal((await world.row(handle.getTaskExecutionId())).status, 'timed_out')
    },
  ),

  engineCase('abandon.outcome_refused', 'what an abandoned function returns is refused', async (world) => {
    const { contexts, end, handle } = await enqueueHeld(world, { maxAttempts: 1 })
    await world.clock.advance(2_200)
    assert.equal(contexts.length, 2)
    end[0]?.('too late')
    await world.clock.advance(200)
    assert.equal((await handle.getTaskExecution()).status, 'running')
    end[1]?.('right')
    const finished = await world.finish(handle)
    assert.equal(finished.status === 'completed' && finished.output, 'right')
  }),
]

export const TIMEOUT_CASES: Array<EngineConformanceCase> = [...timeoutCases, ...abandonCases]
