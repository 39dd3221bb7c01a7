/** Cases: steps that fail, and are tried again. */

import assert from 'node:assert/strict'

import { DurableExecutionError } from '../../../base/errors.ts'
import { type DurableExecutor } from '../../../executor/executor.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { HOUR, suspended } from './durable-lives.ts'
import { untilRow, untilTrue } from './lives.ts'

export const FAILING_STEP_RULES: Record<string, string> = {
  'step.fails':
    'A step that has failed for good rejects; another run of the same attempt throws the same again, and a new attempt does the step again.',
  'step.retries':
    'A step is tried again as its retryOptions say; with a pause of more than a second the execution waits without a slot.',
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

  engineCase(
    'step.retries',
    'a crash between two tries changes neither their number nor when the next one is due',
    async (world) => {
      const tries: Array<[who: string, attempt: number, at: number]> = []
      const keys = new Set<string>()
      const define = (who: string): DurableExecutor => {
        const executor = world.newExecutor({ expireMs: 4_000 })
        executor.task({
          id: 'flow',
          timeoutMs: HOUR,
          run: async (ctx) =>
            await ctx.step(
              'call',
              ({ attempt, idempotencyKey }) => {
                tries.push([who, attempt, world.clock.now()])
                keys.add(idempotencyKey)
                if (attempt < 1) {
                  throw new Error('not yet')
                }
                return who
              },
              { retryOptions: { maxAttempts: 2, baseDelayMs: 10_000 } },
            ),
        })
        return executor
      }
      const first = define('first')
      await world.until(first.start())
      const handle = await first.enqueueTask({ id: 'flow' }, undefined)
      await suspended(world, handle.getTaskExecutionId())
      world.kill(first)
      const second = define('second')
      await world.until(second.start())
      const same = await second.getTaskHandle({ id: 'flow' }, handle.getTaskExecutionId())
      const end = await world.finish(same)
      assert.equal(end.status === 'completed' && end.output, 'second')
      assert.deepEqual(
        tries.map(([who, attempt]) => [who, attempt]),
        [
          ['first', 0],
          ['second', 1],
        ],
      )
      const [before = NaN, after = NaN] = tries.map(([, , at]) => at)
      assert.ok(after - before >= 10_000 && after - before <= 10_700, String(after - before))
      assert.equal(keys.size, 1)
    },
  ),

  engineCase('step.fails', 'what it rejects with is of the same kind in each run', async (world) => {
    const executor = world.newExecutor()
    const seen: Array<unknown> = []
    const task = executor.task({
      id: 'flow',
      timeoutMs: HOUR,
      run: async (ctx) => {
        await ctx.step('slow', async () => await new Promise(() => {}), { timeoutMs: 100 }).catch(note)
        await ctx
          .step('refused', () => {
            throw new DurableExecutionError('No such order', false)
          })
          .catch(note)
        await ctx.sleep('nap', 2_000)
      },
    })
    const note = (error: unknown): void => {
      assert.ok(error instanceof DurableExecutionError)
      seen.push([error.name, error.message, error.isRetryable])
    }
    await world.until(executor.start())
    assert.equal((await world.finish(await executor.enqueueTask(task, undefined))).status, 'completed')
    assert.equal(seen.length, 4)
    assert.deepEqual(seen.slice(2), seen.slice(0, 2))
    assert.deepEqual(seen[1], ['DurableExecutionError', 'No such order', false])
    assert.match(String(seen[0]), /^DurableExecutionTimedOutError,Step slow timed out/)
  }),
]
