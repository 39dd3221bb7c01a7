/** Cases: durable code whose executor stops, or whose run is over, while it does something. */

import assert from 'node:assert/strict'

import { type CancelSignal } from '../../../base/cancel.ts'
import { type DurableExecutor } from '../../../executor/executor.ts'
import { type DurableStorage } from '../../../storage/contract.ts'
import { type DurableTaskRunContext } from '../../../task/context.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { HOUR } from './durable-lives.ts'
import { createAbsentStorage, createGate, untilTrue, withCallListener } from './lives.ts'
import { type EngineWorld } from './world.ts'

export const LEAVING_CODE_RULES: Record<string, string> = {
  'step.after_grace':
    'When the executor stops, no call and no try begins any more once the grace is over, and what steps came to by then is kept.',
  'step.begins_in_time':
    'A step whose run is over does not begin, though what it is remembered by was being read.',
}

/** A storage that answers only once the gate is open, when it is asked for what is remembered, and is slow. */
function slowToRemember(world: EngineWorld): {
  storage: DurableStorage
  setSlow: () => void
  isAsked: () => boolean
  open: () => void
} {
  const gate = createGate()
  let isSlow = false
  let isAsked = false
  return {
    setSlow: () => {
      isSlow = true
    },
    isAsked: () => isAsked,
    open: () => gate.open(),
    storage: {
      ...world.storage,
      withTransaction: async (fn, hint) => {
        // Of each its own: others may be asked for before this one is answered.
        let isOfMemory = false
        const listened = withCallListener(world.storage, ({ operation, args }) => {
          const isRead = operation.startsWith('get') && JSON.stringify(args).includes(':work:')
          isOfMemory ||= isSlow && (isRead || operation === 'getTaskExecutionsInIdRanges')
        })
        const answer = await listened.withTransaction(fn, hint)
        if (isOfMemory) {
          isAsked = true
          await gate.promise
        }
        return answer
      },
    },
  }
}

/** Fails at first; then does a step, for which it must be read what is remembered. */
function defineReading(
  executor: DurableExecutor,
  done: Array<string>,
  { name = 'one', setSlow = (): void => {} }: { name?: string; setSlow?: () => void } = {},
): void {
  executor.task({
    id: 'flow',
    timeoutMs: HOUR,
    retryOptions: { maxAttempts: 1 },
    run: async (ctx: DurableTaskRunContext) => {
      if (ctx.attempt === 0) {
        setSlow()
        throw new Error('first')
      }
      await ctx.step('work', () => done.push(`work by ${name}`))
    },
  })
}

const complaints = (world: EngineWorld): Array<unknown> =>
  world.logs.filter(({ message }) => message.includes('did not stop'))

export const LEAVING_CODE_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'step.after_grace',
    'what ended late is not done again, what is next is done by others, and so is what obeyed',
    async (world) => {
      const done: Array<string> = []
      const gate = createGate()
      const define = (name: string): DurableExecutor => {
        const executor = world.newExecutor()
        executor.task({
          id: 'flow',
          timeoutMs: HOUR,
          run: async (ctx) => {
            const step = async (
              part: string,
              work?: (cancelSignal: CancelSignal) => unknown,
            ): Promise<void> => {
              await ctx.step(part, async ({ cancelSignal }) => {
                if (name === 'first') {
                  await work?.(cancelSignal)
                }
                done.push(`${part} by ${name}`)
              })
            }
            await Promise.all([
              step('late', () => gate.promise),
              step('obedient', async (cancelSignal) => {
                await new Promise((_resolve, reject) => {
                  cancelSignal.onCancelled(() => reject(new Error('stopped')))
                })
              }),
              step('quick').then(async () => {
                await gate.promise
                await step('next')
              }),
            ])
          },
        })
        return executor
      }
      const first = define('first')
      await world.until(first.start())
      const handle = await first.enqueueTask({ id: 'flow' }, undefined)
      await untilTrue(world, () => done.length === 1)
      world.clock.setTimer(1_500, () => gate.open())
      await world.until(first.shutdown({ graceMs: 1_000 }))
      const second = define('second')
      await world.until(second.start())
      const end = await world.finish(await second.getTaskHandle({ id: 'flow' }, handle.getTaskExecutionId()))
      assert.equal(end.status, 'completed')
      assert.equal(end.retryAttempts, 0)
      assert.deepEqual(done, ['quick by first', 'late by first', 'obedient by second', 'next by second'])
      assert.deepEqual(complaints(world), [])
    },
  ),

  engineCase(
    'step.after_grace',
    'no try of a step begins while another step keeps the run here',
    async (world) => {
      const log: Array<string> = []
      const gate = createGate()
      const executor = world.newExecutor()
      executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        run: async (ctx) => {
          await Promise.all([
            ctx.step('other', async () => {
              await gate.promise
              log.push('other ended')
            }),
            ctx.step(
              'flaky',
              async ({ attempt }) => {
                log.push(`try ${attempt}`)
                if (attempt === 0) {
                  throw new Error('not yet')
                }
                await new Promise(() => {})
              },
              { retryOptions: { maxAttempts: 3, baseDelayMs: 800 } },
            ),
          ])
        },
      })
      await world.until(executor.start())
      await executor.enqueueTask({ id: 'flow' }, undefined)
      await untilTrue(world, () => log.length === 1)
      await world.clock.settle()
      world.clock.setTimer(900, () => gate.open())
      await world.until(executor.shutdown({ graceMs: 0 }))
      await world.clock.advance('2s')
      assert.deepEqual(log, ['try 0', 'other ended'])
      assert.deepEqual(complaints(world), [])
    },
  ),

  engineCase(
    'step.after_grace',
    'a run that waits for a storage that is away is not said to go on by itself',
    async (world) => {
      const storage = createAbsentStorage(world.storage)
      const executor = world.newExecutor({ storage })
      let isDone = false
      executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        run: async (ctx) => {
          await ctx.step('work', () => {
            isDone = true
            storage.leave('refuses')
          })
        },
      })
      await world.until(executor.start())
      await executor.enqueueTask({ id: 'flow' }, undefined)
      await untilTrue(world, () => isDone)
      await world.until(executor.shutdown({ graceMs: 0 }))
      assert.deepEqual(complaints(world), [])
      storage.comeBack()
      await world.clock.advance('1m')
    },
  ),

  engineCase(
    'step.begins_in_time',
    'a run that was given back while it read begins nothing beside whoever has the execution now',
    async (world) => {
      const done: Array<string> = []
      const { storage, setSlow, isAsked, open } = slowToRemember(world)
      const first = world.newExecutor({ storage })
      defineReading(first, done, { name: 'first', setSlow })
      await world.until(first.start())
      const handle = await first.enqueueTask({ id: 'flow' }, undefined)
      await untilTrue(world, isAsked)
      await world.until(first.shutdown({ graceMs: 0 }))
      const second = world.newExecutor()
      defineReading(second, done, { name: 'second' })
      await world.until(second.start())
      const end = await world.finish(await second.getTaskHandle({ id: 'flow' }, handle.getTaskExecutionId()))
      assert.equal(end.status, 'completed')
      open()
      await world.clock.advance('2s')
      assert.deepEqual(done, ['work by second'])
    },
  ),

  engineCase(
    'step.begins_in_time',
    'a run that was cancelled while it read begins nothing',
    async (world) => {
      const done: Array<string> = []
      const { storage, setSlow, isAsked, open } = slowToRemember(world)
      const executor = world.newExecutor({ storage })
      defineReading(executor, done, { setSlow })
      await world.until(executor.start())
      const handle = await executor.enqueueTask({ id: 'flow' }, undefined)
      await untilTrue(world, isAsked)
      assert.equal(await world.until(handle.cancel()), true)
      await world.clock.advance('3s')
      open()
      await world.clock.advance('2s')
      assert.deepEqual(done, [])
    },
  ),
]
