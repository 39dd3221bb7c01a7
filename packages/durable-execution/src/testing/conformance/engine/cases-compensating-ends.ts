/** Cases: whose execution is undone, how it ended, and what is done to the undoing meanwhile. */

import assert from 'node:assert/strict'

import { type DurableExecutor } from '../../../executor/executor.ts'
import { type DurableTaskRunContext } from '../../../task/context.ts'
import { type DurableTask } from '../../../task/define.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { HOUR, suspended } from './durable-lives.ts'
import { createGate, untilRow, untilTrue } from './lives.ts'

export const COMPENSATING_END_RULES: Record<string, string> = {
  'compensation.any_end':
    'What failed, timed out or was cancelled is undone, whatever it was doing then, if it registered something.',
  'compensation.tries': 'An undoing has the retryOptions and the timeoutMs that it was registered with.',
  'compensation.uncancelled':
    'What undoes is no part of what its execution belongs to: no end above it cancels it.',
  'compensation.inherits': 'What undoes an execution has its priority.',
  'compensation.in_step': 'A function that undoes makes no durable calls.',
}

type Doing = (ctx: DurableTaskRunContext) => unknown

/** A task that registers one thing to undo, and then does what it is to do. */
function defineUndone(
  executor: DurableExecutor,
  log: Array<string>,
  doing: Record<string, Doing>,
): DurableTask<string, unknown> {
  return executor.task({
    id: 'undone',
    timeoutMs: 2_000,
    run: async (ctx, what: string) => {
      await ctx.compensate('undo', () => {
        log.push(what)
      })
      return await doing[what]?.(ctx)
    },
  })
}

const idOfUndoing = (executionId: string): string => `${executionId}!compensation`

export const COMPENSATING_END_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'compensation.any_end',
    'five bad ends are undone, and what never ran has nothing to undo',
    async (world) => {
      const executor = world.newExecutor()
      const gate = createGate()
      const log: Array<string> = []
      const undone = defineUndone(executor, log, {
        fails: () => {
          throw new Error('bad')
        },
        'times out': async () => await gate.promise,
        'times out in a step': async (ctx) => await ctx.step('slow', async () => await gate.promise),
        'is cancelled in a step': async (ctx) => await ctx.step('slow', async () => await gate.promise),
        'is cancelled while it waits': async (ctx) => await ctx.waitForSignal('never'),
        'is well': () => 'well',
      })
      const never = await executor.enqueueTask(undone, 'is cancelled before it runs', {
        sleepMsBeforeRun: HOUR,
      })
      await world.until(executor.start())
      const begin = async (what: string): Promise<string> =>
        (await executor.enqueueTask(undone, what)).getTaskExecutionId()
      const cancelled = [await begin('is cancelled in a step'), await begin('is cancelled while it waits')]
      await untilRow(world, `${cancelled[0]}:undo:1`, () => true).catch(() => {})
      await suspended(world, cancelled[1] ?? '')
      const ids = [...cancelled, never.getTaskExecutionId()]
      for (const id of ids) {
        const handle = await executor.getTaskHandle(undone, id)
        assert.equal(await world.until(handle.cancel()), true)
      }
      for (const what of ['fails', 'times out', 'times out in a step', 'is well']) {
        ids.push(await begin(what))
      }
      await untilTrue(world, () => log.length === 5)
      for (const id of ids) {
        await untilRow(world, id, (row) => row.isClosed)
      }
      gate.open()
      await world.clock.advance('1s')
      assert.deepEqual(log.toSorted(), [
        'fails',
        'is cancelled in a step',
        'is cancelled while it waits',
        'times out',
        'times out in a step',
      ])
      const undoings = (await world.rows()).filter(({ executionId }) => executionId.endsWith('!compensation'))
      assert.deepEqual(
        undoings.map(({ status, isClosed }) => [status, isClosed]),
        Array.from({ length: 5 }, () => ['completed', true]),
      )
    },
  ),

  engineCase(
    'compensation.tries',
    'one is undone at its third try, one that is to be tried once is given up, and a slow one times out',
    async (world) => {
      const executor = world.newExecutor()
      const tries: Array<string> = []
      const flow = executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        run: async (ctx) => {
          await ctx.compensate('third', ({ attempt, idempotencyKey }) => {
            tries.push(`third ${attempt}`)
            assert.match(idempotencyKey, /third:1$/)
            if (attempt < 2) {
              throw new Error('not yet')
            }
          })
          await ctx.compensate(
            'once',
            ({ attempt }) => {
              tries.push(`once ${attempt}`)
              throw new Error('never')
            },
            { retryOptions: { maxAttempts: 0 } },
          )
          await ctx.compensate(
            'slow',
            async ({ attempt, abortSignal }) => {
              tries.push(`slow ${attempt}`)
              if (attempt === 0) {
                await new Promise((resolve) => {
                  abortSignal.addEventListener('abort', resolve)
                })
              }
            },
            { timeoutMs: 500, retryOptions: { maxAttempts: 1 } },
          )
          throw new Error('bad')
        },
      })
      await world.until(executor.start())
      const end = await world.finish(await executor.enqueueTask(flow, undefined))
      await untilTrue(world, () => tries.length === 6)
      const row = await untilRow(world, idOfUndoing(end.executionId), ({ isClosed }) => isClosed)
      assert.deepEqual(tries, ['slow 0', 'slow 1', 'once 0', 'third 0', 'third 1', 'third 2'])
      assert.equal(row.status, 'failed')
      assert.equal(row.error?.message, 'never')
      assert.equal(row.retryAttempts, 0)
    },
  ),

  engineCase(
    'compensation.uncancelled',
    'a parent is cancelled while one child is undone and another one waits: all is undone',
    async (world) => {
      const executor = world.newExecutor()
      const gate = createGate()
      const log: Array<string> = []
      const child = executor.task({
        id: 'child',
        timeoutMs: HOUR,
        run: async (ctx, name: string) => {
          await ctx.compensate('undo', async () => {
            log.push(`${name} is being undone`)
            await gate.promise
            log.push(`${name} is undone`)
          })
          if (name === 'bad') {
            throw new Error('bad')
          }
          await ctx.sleep('long', HOUR)
        },
      })
      const flow = executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        run: async (ctx) => {
          await ctx.compensate('undo', () => {
            log.push('flow is undone')
          })
          await Promise.allSettled(['bad', 'slow'].map((name) => ctx.runTask(child, name, { name })))
        },
      })
      await world.until(executor.start())
      const handle = await executor.enqueueTask(flow, undefined)
      const id = handle.getTaskExecutionId()
      await untilTrue(world, () => log.length === 1)
      await suspended(world, `${id}:slow:1`)
      assert.equal(await world.until(handle.cancel()), true)
      await untilTrue(world, () => log.length === 3)
      gate.open()
      await untilRow(world, id, (row) => row.isClosed)
      await untilTrue(world, () => log.length === 5)
      await world.clock.advance('2s')
      assert.deepEqual(log.toSorted(), [
        'bad is being undone',
        'bad is undone',
        'flow is undone',
        'slow is being undone',
        'slow is undone',
      ])
      const rows = await world.rows()
      assert.deepEqual(
        rows
          .filter((row) => row.timeoutMs > 0)
          .map(({ status, isClosed }) => `${status} ${isClosed}`)
          .toSorted(),
        ['cancelled true', 'cancelled true', ...Array<string>(3).fill('completed true'), 'failed true'],
      )
    },
  ),

  engineCase('compensation.inherits', 'an urgent execution is undone urgently', async (world) => {
    const executor = world.newExecutor()
    const log: Array<string> = []
    const undone = defineUndone(executor, log, {
      fails: () => {
        throw new Error('bad')
      },
    })
    await world.until(executor.start())
    const end = await world.finish(await executor.enqueueTask(undone, 'fails', { priority: 7 }))
    await untilTrue(world, () => log.length === 1)
    assert.equal((await world.row(idOfUndoing(end.executionId))).priority, 7)
  }),

  engineCase(
    'compensation.in_step',
    'one that asks for a step is refused it, and given up',
    async (world) => {
      const executor = world.newExecutor()
      const flow = executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        run: async (ctx) => {
          await ctx.compensate('undo', async () => await ctx.step('mail', () => 1))
          throw new Error('bad')
        },
      })
      await world.until(executor.start())
      const { executionId } = await world.finish(await executor.enqueueTask(flow, undefined))
      await untilRow(world, executionId, (row) => row.isClosed)
      const row = await untilRow(world, idOfUndoing(executionId), ({ isClosed }) => isClosed)
      assert.equal(
        row.error?.message,
        'ctx.step was called in the function of step undo, which is one thing that is done or not. Call it before or after that.',
      )
    },
  ),
]
