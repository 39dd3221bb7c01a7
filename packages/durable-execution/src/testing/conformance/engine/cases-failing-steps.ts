/** Cases: steps that fail, that take too long, and whose run is stopped or has lost its lease. */

import assert from 'node:assert/strict'

import { type EngineConformanceCase, engineCase } from './case.ts'
import { HOUR } from './durable-lives.ts'
import { createGate, untilRow, untilTrue } from './lives.ts'

export const FAILING_STEP_RULES: Record<string, string> = {
  'step.fails':
    'A step that has failed for good rejects; another run of the same attempt throws the same again, and a new attempt does the step again.',
  'step.retries':
    'A step is tried again as its retryOptions say; with a pause of more than a second the execution waits without a slot.',
  'step.times_out':
    'A try that takes longer than the timeoutMs of its step fails, and is told by its abortSignal.',
  'step.cancelled': 'A cancelled execution is told by its signal, and its steps get no more answers.',
  'step.fenced': 'A run that has lost its lease remembers nothing more, and ends.',
  'step.released':
    'A step that obeys when the executor stops has not failed: the execution is run again by others.',
}

export const FAILING_STEP_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'step.fails',
    'a failed step is not done again in the same attempt, and is in the next',
    async (world) => {
      const executor = world.newExecutor()
      const tries: Array<number> = []
      const seen: Array<string> = []
      const task = executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        retryOptions: { maxAttempts: 1 },
        run: async (ctx) => {
          try {
            await ctx.step('charge', () => {
              tries.push(ctx.attempt)
              throw new Error(`declined ${tries.length}`)
            })
          } catch (error) {
            seen.push((error as Error).message)
          }
          await ctx.sleep('nap', 5_000)
          if (ctx.attempt === 0) {
            throw new Error('once more')
          }
          return 'gave up'
        },
      })
      await world.until(executor.start())
      const end = await world.finish(await executor.enqueueTask(task, undefined))
      assert.equal(end.status === 'completed' && end.output, 'gave up')
      assert.deepEqual(tries, [0, 1])
      assert.deepEqual(seen, ['declined 1', 'declined 1', 'declined 2'])
    },
  ),

  engineCase(
    'step.retries',
    'a step is tried again without its execution holding the only slot',
    async (world) => {
      const executor = world.newExecutor({ maxConcurrentTaskExecutions: 1 })
      const tries: Array<number> = []
      const task = executor.task({
        id: 'flow',
        timeoutMs: 2_000,
        run: async (ctx) =>
          await ctx.step(
            'call',
            ({ attempt }) => {
              tries.push(attempt)
              if (attempt < 3) {
                throw new Error('not yet')
              }
              return attempt
            },
            { retryOptions: { maxAttempts: 3, baseDelayMs: 500, delayMultiplier: 5 } },
          ),
      })
      const other = executor.task({ id: 'other', timeoutMs: HOUR, run: () => 'between' })
      await world.until(executor.start())
      const handle = await executor.enqueueTask(task, undefined)
      await untilTrue(world, () => tries.length === 2)
      const row = await untilRow(world, handle.getTaskExecutionId(), ({ status }) => status === 'ready')
      assert.ok(row.startAt.getTime() - world.clock.now() > 1_500)
      assert.equal(
        (await world.finish(await executor.enqueueTask(other, undefined), 1_000)).status,
        'completed',
      )
      const end = await world.finish(handle, 60_000)
      assert.equal(end.status === 'completed' && end.output, 3)
      assert.equal(end.retryAttempts, 0)
      assert.deepEqual(tries, [0, 1, 2, 3])
    },
  ),

  engineCase('step.retries', 'an error that is not retryable is the end of the step', async (world) => {
    const executor = world.newExecutor()
    let calls = 0
    const task = executor.task({
      id: 'flow',
      timeoutMs: HOUR,
      run: async (ctx) =>
        await ctx.step(
          'call',
          () => {
            calls += 1
            throw new TypeError('broken')
          },
          { retryOptions: { maxAttempts: 2 } },
        ),
    })
    await world.until(executor.start())
    const end = await world.finish(await executor.enqueueTask(task, undefined))
    assert.equal(end.status === 'failed' && end.error.message, 'broken')
    assert.equal(calls, 3)
  }),

  engineCase('step.times_out', 'a slow try is told, and the next one may succeed', async (world) => {
    const executor = world.newExecutor()
    const told: Array<boolean> = []
    const task = executor.task({
      id: 'flow',
      timeoutMs: HOUR,
      run: async (ctx) =>
        await ctx.step(
          'slow',
          async ({ attempt, abortSignal }) => {
            if (attempt === 0) {
              await new Promise<void>((resolve) => {
                abortSignal.addEventListener('abort', () => {
                  told.push(abortSignal.aborted)
                  resolve()
                })
              })
            }
            return attempt
          },
          { timeoutMs: 700, retryOptions: { maxAttempts: 1 } },
        ),
    })
    await world.until(executor.start())
    const end = await world.finish(await executor.enqueueTask(task, undefined))
    assert.equal(end.status === 'completed' && end.output, 1)
    assert.deepEqual(told, [true])
  }),

  engineCase(
    'step.cancelled',
    'a cancel fires the signal of a running step, whose result is forgotten',
    async (world) => {
      const executor = world.newExecutor()
      const gate = createGate<string>()
      const after: Array<string> = []
      let isTold = false
      const task = executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        run: async (ctx) => {
          try {
            after.push(
              await ctx.step('slow', async ({ cancelSignal }) => {
                cancelSignal.onCancelled(() => {
                  isTold = true
                })
                return await gate.promise
              }),
            )
          } finally {
            after.push('finally')
          }
        },
      })
      await world.until(executor.start())
      const handle = await executor.enqueueTask(task, undefined)
      await untilTrue(world, () => executor.getRunningTaskExecutionIds().size === 1)
      await world.clock.settle()
      assert.equal(await world.until(handle.cancel()), true)
      gate.open('late')
      await untilTrue(world, () => executor.getRunningTaskExecutionIds().size === 0)
      assert.equal((await world.finish(handle)).status, 'cancelled')
      assert.equal(isTold, true)
      assert.deepEqual(after, [])
      assert.equal((await world.rows()).length, 1)
    },
  ),

  engineCase(
    'step.fenced',
    'a run that stalled beyond its lease remembers nothing, and its successor goes on',
    async (world) => {
      const gate = createGate<string>()
      const done: Array<string> = []
      const define = (name: string): ReturnType<typeof world.newExecutor> => {
        const executor = world.newExecutor({ expireMs: 4_000 })
        executor.task({
          id: 'flow',
          timeoutMs: HOUR,
          run: async (ctx) => {
            const answer = await ctx.step('ask', async () => (name === 'first' ? await gate.promise : name))
            done.push(`${name} ${answer}`)
            return answer
          },
        })
        return executor
      }
      const first = define('first')
      await world.until(first.start())
      const handle = await first.enqueueTask({ id: 'flow' }, undefined)
      const id = handle.getTaskExecutionId()
      await untilRow(world, id, ({ status }) => status === 'running')
      await world.clock.settle()
      // As another process does that finds the lease lapsed.
      await world.storage.withTransaction(
        async (tx) =>
          await tx.updateTaskExecutions(
            { type: 'by_execution_ids', executionIds: [id] },
            { status: 'ready', unsetExpiresAt: true, startAt: new Date(0), updatedAt: new Date(0) },
          ),
      )
      const second = define('second')
      await world.until(first.shutdown({ graceMs: 0 }).then(async () => await second.start()))
      gate.open('stale')
      const end = await world.finish(await second.getTaskHandle({ id: 'flow' }, id))
      assert.equal(end.status === 'completed' && end.output, 'second')
      assert.deepEqual(done, ['second second'])
    },
  ),

  engineCase('step.released', 'a step that throws as the executor stops has not failed', async (world) => {
    let tries = 0
    const define = (): ReturnType<typeof world.newExecutor> => {
      const executor = world.newExecutor()
      executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        run: async (ctx) =>
          await ctx.step('slow', async ({ cancelSignal }) => {
            tries += 1
            if (tries === 1) {
              await new Promise((_resolve, reject) => {
                cancelSignal.onCancelled(() => reject(new Error('stopped')))
              })
            }
            return tries
          }),
      })
      return executor
    }
    const first = define()
    await world.until(first.start())
    const handle = await first.enqueueTask({ id: 'flow' }, undefined)
    await untilTrue(world, () => tries === 1)
    await world.until(first.shutdown({ graceMs: 0 }))
    const second = define()
    await world.until(second.start())
    const end = await world.finish(await second.getTaskHandle({ id: 'flow' }, handle.getTaskExecutionId()))
    assert.equal(end.status === 'completed' && end.output, 2)
    assert.equal(end.retryAttempts, 0)
  }),
]
