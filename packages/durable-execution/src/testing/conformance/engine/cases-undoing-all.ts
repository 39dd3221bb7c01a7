/** Cases: whatever was registered is undone, however far the last run of the code came. */

import assert from 'node:assert/strict'

import { type EngineConformanceCase, engineCase } from './case.ts'
import { compensationOf } from './cases-compensating.ts'
import { untilTrue } from './lives.ts'

export const UNDOING_ALL_RULES: Record<string, string> = {
  'compensation.past_deadline': 'What ran over its deadline is undone, which may take as long as it needs.',
  'compensation.every_attempt':
    'What an earlier attempt registered is undone, too, though the last one did not come as far.',
  'compensation.beside_failed_child':
    'What was registered once a child had failed is undone, whatever its siblings were at.',
}

const HOUR = 3_600_000

export const UNDOING_ALL_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'compensation.past_deadline',
    'an execution that ran over its deadline is undone',
    async (world) => {
      const executor = world.newExecutor()
      const log: Array<string> = []
      const task = executor.task({
        id: 'late',
        timeoutMs: HOUR,
        run: async (ctx) => {
          await ctx.compensate('give it back', ({ attempt }) => {
            log.push(`undo ${attempt}`)
            if (attempt === 0) {
              throw new Error('not now')
            }
          })
          await ctx.waitForSignal('never')
        },
      })
      await world.until(executor.start())
      const handle = await executor.enqueueTask(task, undefined, { deadlineMs: 20_000 })
      const executionId = handle.getTaskExecutionId()
      const row = await world.row(executionId)
      if (row.deadlineAt === undefined) {
        // A storage that does not keep deadlines has none that could pass.
        await world.clock.advance('5s')
        assert.equal(await world.until(handle.cancel()), true)
      }
      await world.finish(handle)
      const undone = await compensationOf(world, executionId)
      assert.equal(undone.status, 'completed')
      assert.deepEqual(log, ['undo 0', 'undo 1'])
    },
  ),

  engineCase(
    'compensation.every_attempt',
    'an execution that is cancelled before its second attempt is undone as far as the first one came',
    async (world) => {
      const executor = world.newExecutor()
      const log: Array<string> = []
      const task = executor.task({
        id: 'twice',
        timeoutMs: HOUR,
        retryOptions: { maxAttempts: 1, baseDelayMs: HOUR },
        run: async (ctx) => {
          await ctx.compensate('first', () => log.push('undo first'))
          await ctx
            .step('hotel', () => {
              throw new Error('booked up')
            })
            .catch(() => {})
          await ctx.compensate('second', () => log.push('undo second'))
          await ctx.step('tent', () => log.push('tent'))
          throw new Error('it rains')
        },
      })
      await world.until(executor.start())
      const handle = await executor.enqueueTask(task, undefined)
      const executionId = handle.getTaskExecutionId()
      let retries = 0
      await untilTrue(world, () => log.length === 1)
      while (retries === 0) {
        await world.clock.advance(100)
        retries = (await world.row(executionId)).retryAttempts
      }
      assert.equal(await world.until(handle.cancel()), true)
      await world.finish(handle)
      assert.equal((await compensationOf(world, executionId)).status, 'completed')
      assert.deepEqual(log, ['tent', 'undo second', 'undo first'])
    },
  ),

  engineCase(
    'compensation.every_attempt',
    'what the first attempt registered is undone though the second went another way',
    async (world) => {
      const executor = world.newExecutor()
      const log: Array<string> = []
      const task = executor.task({
        id: 'otherwise',
        timeoutMs: HOUR,
        retryOptions: { maxAttempts: 1, baseDelayMs: 5_000 },
        run: async (ctx) => {
          await ctx.compensate('first', () => log.push('undo first'))
          try {
            await ctx.step('hotel', () => {
              if (ctx.attempt === 0) {
                throw new Error('booked up')
              }
            })
            await ctx.compensate('room', () => log.push('undo room'))
          } catch {
            await ctx.compensate('tent', () => log.push('undo tent'))
            await ctx.step('tent', () => log.push('tent'))
          }
          await ctx.compensate('last', () => log.push(`undo last of ${ctx.attempt}`))
          throw new Error('it rains')
        },
      })
      await world.until(executor.start())
      const handle = await executor.enqueueTask(task, undefined)
      assert.equal((await world.finish(handle)).status, 'failed')
      const undone = await compensationOf(world, handle.getTaskExecutionId())
      assert.equal(undone.status, 'completed')
      assert.deepEqual(log, ['tent', 'undo last of 1', 'undo room', 'undo tent', 'undo first'])
    },
  ),

  engineCase(
    'compensation.beside_failed_child',
    'what was registered after a child had failed is undone though its sibling was cancelled',
    async (world) => {
      const executor = world.newExecutor()
      const log: Array<string> = []
      const patient = executor.task({
        id: 'patient',
        timeoutMs: HOUR,
        run: async (ctx) => await ctx.waitForSignal('never'),
      })
      const broken = executor.task({
        id: 'broken',
        timeoutMs: HOUR,
        run: () => {
          throw new Error('broken')
        },
      })
      const task = executor.task({
        id: 'both',
        timeoutMs: HOUR,
        run: async (ctx) => {
          await ctx
            .runTasks([
              { task: patient, input: undefined },
              { task: broken, input: undefined },
            ])
            .catch(() => {})
          await ctx.compensate('after', () => log.push('undo after'))
          throw new Error('it was too much')
        },
      })
      await world.until(executor.start())
      const handle = await executor.enqueueTask(task, undefined)
      assert.equal((await world.finish(handle)).status, 'failed')
      const executionId = handle.getTaskExecutionId()
      assert.equal((await compensationOf(world, executionId)).status, 'completed')
      assert.deepEqual(log, ['undo after'])
    },
  ),
]
