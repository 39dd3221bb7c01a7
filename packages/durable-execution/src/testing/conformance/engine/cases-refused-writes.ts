/** Cases: what durable code wants to remember, and the storage does not take. */

import assert from 'node:assert/strict'

import { type DurableStorage } from '../../../storage/contract.ts'
import { createFaultyStorage } from '../../faults.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { HOUR, started } from './durable-lives.ts'
import { isWrite, speaksOf, withCallListener } from './lives.ts'
import { type EngineWorld } from './world.ts'

export const REFUSED_WRITE_RULES: Record<string, string> = {
  'step.refused_alone':
    'What the storage does not take of one call fails no other call; a run that would wait for a child that it does not take fails.',
  'step.refused_error': 'An error that the storage does not take is a failed try as any other.',
  'step.said_to_be_refused':
    'A result that was written though nothing was heard of it is the result, in each run.',
}

/** The storage of the world, which takes nothing that speaks of poison. */
const healthy = ({ storage }: EngineWorld): DurableStorage =>
  withCallListener(storage, (call) => {
    if (isWrite(call) && JSON.stringify(call.args).includes('poison')) {
      throw new Error('no room for that')
    }
  })

/** Gives the value so late that what was called beside it is written along with it. */
async function inAWhile<T>(value: T): Promise<T> {
  for (let turn = 0; turn < 50; turn += 1) {
    await Promise.resolve()
  }
  return value
}

export const REFUSED_WRITE_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'step.refused_alone',
    'a result that cannot be stored fails its step, and not the children, sleeps and steps beside it',
    async (world) => {
      const done: Array<string> = []
      const { executor, flow } = await started(
        world,
        async (ctx) => {
          const late = async (value: string): Promise<string> => {
            done.push(value)
            return await inAWhile(value)
          }
          const ends = await Promise.allSettled([
            ctx.step('good', () => late('fine')),
            ctx.step('bad', () => late('poison')),
            ctx.step('at once', () => 'poison'),
            ctx.setState('under way'),
            ctx.runTask(part, 'fine'),
            ctx.sleep('nap', 3_000),
            ctx.compensate('undo', () => undefined),
          ])
          return ends.map((end) => (end.status === 'fulfilled' ? end.value : (end.reason as Error).message))
        },
        { storage: healthy(world) },
      )
      const part = executor.task({ id: 'part', timeoutMs: HOUR, run: (_, input: string) => `${input} child` })
      const handle = await executor.enqueueTask(flow, undefined)
      const end = await world.finish(handle)
      const failed = 'Could not be stored: no room for that'
      assert.deepEqual(end.status === 'completed' && end.output, [
        'fine',
        failed,
        failed,
        undefined,
        'fine child',
        undefined,
        undefined,
      ])
      assert.deepEqual(done, ['fine', 'poison'])
      assert.equal(await world.until(handle.getState()), 'under way')
    },
  ),

  engineCase(
    'step.refused_alone',
    'an attempt that waits for a child that cannot be stored fails, and what it did besides is remembered',
    async (world) => {
      const done: Array<string> = []
      const { executor, flow } = await started(
        world,
        async (ctx) => {
          await Promise.all([
            ctx.runTask(part, 'poison'),
            ctx.step('slow', async () => {
              await new Promise<void>((resolve) => {
                world.clock.setTimer(1_500, resolve)
              })
              done.push('slow')
            }),
            ctx.runTask(part, 'fine'),
          ])
        },
        { storage: healthy(world) },
      )
      const part = executor.task({
        id: 'part',
        timeoutMs: HOUR,
        run: (_, input: string) => {
          done.push(input)
        },
      })
      const end = await world.finish(await executor.enqueueTask(flow, undefined))
      assert.equal(
        end.status === 'failed' && end.error.message,
        'Outcome could not be stored: no room for that',
      )
      assert.deepEqual(done, ['fine', 'slow'])
    },
  ),

  engineCase(
    'step.refused_error',
    'a try whose error cannot be stored is followed by the next one',
    async (world) => {
      const tries: Array<number> = []
      const { executor, flow } = await started(
        world,
        async (ctx) =>
          await ctx.step(
            'work',
            ({ attempt }) => {
              tries.push(attempt)
              if (attempt === 0) {
                throw new Error('poison')
              }
              return 'fine'
            },
            { retryOptions: { maxAttempts: 3 } },
          ),
        { storage: healthy(world) },
      )
      const end = await world.finish(await executor.enqueueTask(flow, undefined))
      assert.equal(end.status === 'completed' && end.output, 'fine')
      assert.deepEqual(tries, [0, 1])
    },
  ),

  engineCase(
    'step.said_to_be_refused',
    'three replies in a row are lost, and every run is given the same',
    async (world) => {
      const storage = createFaultyStorage(world.storage)
      const seen: Array<string> = []
      const { executor, flow } = await started(
        world,
        async (ctx) => {
          seen.push(await ctx.step('work', () => 'value').catch((error: unknown) => (error as Error).message))
          await ctx.sleep('nap', 3_000)
        },
        { storage },
      )
      let lost = 0
      storage.failAtCommitWhen(({ calls }) => {
        // At first with the record; then, as that is there, what it says of the execution alone.
        const isInsert = calls.some((call) => isWrite(call) && speaksOf(call, ':work:1'))
        const isAgain = lost > 0 && calls.length > 1 && calls.some(isWrite)
        const isLost = (isInsert || isAgain) && lost < 3
        lost += isLost ? 1 : 0
        return isLost ? 'lost_reply' : undefined
      })
      const end = await world.finish(await executor.enqueueTask(flow, undefined))
      assert.equal(end.status, 'completed')
      assert.equal(lost, 3)
      assert.deepEqual(seen, ['value', 'value'])
    },
  ),
]
