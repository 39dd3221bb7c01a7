/** Cases: steps that take too long, and those whose run is stopped or has lost its lease. */

import assert from 'node:assert/strict'

import { type DurableExecutor } from '../../../executor/executor.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { HOUR } from './durable-lives.ts'
import { type AbsentStorage, createAbsentStorage, createGate, untilTrue } from './lives.ts'

export const STOPPED_STEP_RULES: Record<string, string> = {
  'step.times_out':
    'A try that takes longer than the timeoutMs of its step fails, and is told by its abortSignal.',
  'step.cancelled': 'A cancelled execution is told by its signal, and its steps get no more answers.',
  'step.fenced': 'A run that has lost its lease remembers nothing more, and ends.',
  'step.released':
    'A step that obeys when the executor stops has not failed: the execution is run again by others.',
}

export const STOPPED_STEP_CASES: Array<EngineConformanceCase> = [
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

  engineCase(
    'step.fenced',
    'a process that stalled is told, and gives the result of its step to nobody',
    async (world) => {
      const storage = createAbsentStorage(world.storage)
      const gate = createGate<string>()
      const seen: Array<string> = []
      const define = (name: string, of?: AbsentStorage): DurableExecutor => {
        const executor = world.newExecutor({ expireMs: 4_000, ...(of === undefined ? {} : { storage: of }) })
        executor.task({
          id: 'flow',
          timeoutMs: HOUR,
          run: async (ctx) => {
            const answer = await ctx.step('ask', async ({ cancelSignal }) => {
              seen.push(`${name} asks`)
              cancelSignal.onCancelled(() => seen.push(`${name} is told`))
              return name === 'stalled' ? await gate.promise : name
            })
            seen.push(`${name} got ${answer}`)
            await ctx.sleep('nap', 2_000)
            return answer
          },
        })
        return executor
      }
      const stalled = define('stalled', storage)
      await world.until(stalled.start())
      const id = (await stalled.enqueueTask({ id: 'flow' }, undefined)).getTaskExecutionId()
      await untilTrue(world, () => seen.length === 1)
      storage.leave('hangs')
      const other = define('other')
      await world.until(other.start())
      await untilTrue(world, () => seen.includes('other got other'))
      storage.comeBack()
      gate.open('stale')
      const end = await world.finish(await other.getTaskHandle({ id: 'flow' }, id))
      await world.clock.advance('2s')
      assert.equal(end.status === 'completed' && end.output, 'other')
      assert.ok(seen.includes('stalled is told'))
      // It may have run what came after the sleep.
      assert.ok(!seen.includes('stalled got stale'))
      assert.equal(stalled.getRunningTaskExecutionIds().size, 0)
    },
  ),

  engineCase(
    'step.times_out',
    'the timeout of the attempt ends a step too, and the next attempt does it again',
    async (world) => {
      const executor = world.newExecutor()
      const tries: Array<[number, number]> = []
      const told: Array<string> = []
      const task = executor.task({
        id: 'flow',
        timeoutMs: 1_000,
        retryOptions: { maxAttempts: 1 },
        run: async (ctx) => {
          await ctx.step('before', () => tries.push([-1, -1]))
          return await ctx.step(
            'slow',
            async ({ attempt, abortSignal }) => {
              tries.push([ctx.attempt, attempt])
              if (ctx.attempt === 0) {
                await new Promise((resolve) => {
                  abortSignal.addEventListener('abort', resolve)
                })
                told.push((abortSignal.reason as Error).message)
                throw new Error('stopped')
              }
              return 'in time'
            },
            { timeoutMs: HOUR, retryOptions: { maxAttempts: 3 } },
          )
        },
      })
      await world.until(executor.start())
      const end = await world.finish(await executor.enqueueTask(task, undefined))
      assert.equal(end.status === 'completed' && end.output, 'in time')
      assert.equal(end.retryAttempts, 1)
      assert.deepEqual(told, ['Task timed out'])
      assert.deepEqual(tries, [
        [-1, -1],
        [0, 0],
        [1, 0],
      ])
    },
  ),
]
