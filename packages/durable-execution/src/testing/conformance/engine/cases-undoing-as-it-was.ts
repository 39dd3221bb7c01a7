/** Cases: the code that finds out how to undo sees what it saw when it ran. */

import assert from 'node:assert/strict'

import { type StandardSchemaV1 } from '@standard-schema/spec'

import { type EngineConformanceCase, engineCase } from './case.ts'
import { compensationOf } from './cases-compensating.ts'
import { HOUR } from './durable-lives.ts'

export const UNDOING_AS_IT_WAS_RULES: Record<string, string> = {
  'compensation.as_it_was': 'Code that is run once more to undo is given what it was given then.',
  'compensation.tries': 'What undoes is tried ten times more, unless the code says otherwise.',
}

/** A schema that makes a moment of a text. */
const MOMENT: StandardSchemaV1<string, Date> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) => ({ value: new Date(String(value)) }),
  },
}

export const UNDOING_AS_IT_WAS_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'compensation.as_it_was',
    'a payload is what its schema has made of it, when it is undone too',
    async (world) => {
      const log: Array<string> = []
      const executor = world.newExecutor()
      const task = executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        run: async (ctx) => {
          const at = await ctx.waitForSignal('at', { schema: MOMENT })
          const year = at.getUTCFullYear()
          await ctx.compensate('undo', () => void log.push(`undo ${year}`))
          throw new Error('broken')
        },
      })
      await world.until(executor.start())
      const handle = await executor.enqueueTask(task, undefined)
      const executionId = handle.getTaskExecutionId()
      await world.until(executor.signal(executionId, 'at', '2030-04-01T00:00:00Z'))
      assert.equal((await world.finish(handle)).status, 'failed')
      assert.equal((await compensationOf(world, executionId)).status, 'completed')
      assert.deepEqual(log, ['undo 2030'])
    },
  ),

  engineCase(
    'compensation.as_it_was',
    'a first attempt is told of no error before it, when it is undone too',
    async (world) => {
      const log: Array<string> = []
      const executor = world.newExecutor()
      const task = executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        retryOptions: { maxAttempts: 1 },
        run: async (ctx) => {
          const name = ctx.prevError === undefined ? 'first' : 'second'
          await ctx.compensate(name, () => void log.push(name))
          throw new Error('broken')
        },
      })
      await world.until(executor.start())
      const handle = await executor.enqueueTask(task, undefined)
      await world.finish(handle)
      await compensationOf(world, handle.getTaskExecutionId())
      assert.deepEqual(log, ['second', 'first'])
    },
  ),

  engineCase(
    'compensation.tries',
    'options that are not given are the usual ones, also where they are named',
    async (world) => {
      let tries = 0
      const executor = world.newExecutor()
      const task = executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        run: async (ctx) => {
          const undo = (): void => {
            tries += 1
            if (tries < 3) {
              throw new Error('not now')
            }
          }
          await ctx.compensate('undo', undo, { retryOptions: undefined, timeoutMs: 1_000 })
          throw new Error('broken')
        },
      })
      await world.until(executor.start())
      const handle = await executor.enqueueTask(task, undefined)
      await world.finish(handle)
      assert.equal((await compensationOf(world, handle.getTaskExecutionId())).status, 'completed')
      assert.equal(tries, 3)
    },
  ),
]
