/** Cases: a transaction whose function fails, is to stop, or does not count any more leaves nothing. */

import assert from 'node:assert/strict'

import { type DurableTaskRunContext } from '../../../task/context.ts'
import { type DurableStorage } from '../../../storage/contract.ts'
import { createFaultyStorage } from '../../faults.ts'
import { type EngineConformanceCase } from './case.ts'
import { createGate, untilTrue } from './lives.ts'
import { define, HOUR, type Note, notes, sharedCase } from './transactions-in-code.ts'

export const UNDONE_TRANSACTION_CASES: Array<EngineConformanceCase> = [
  sharedCase(
    'together.fails',
    'a function that throws leaves nothing, and is tried again by its own count',
    async (world) => {
      const attempts: Array<number> = []
      const messages: Array<string> = []
      const executor = define(world, async (ctx, note) => {
        const kept = await ctx.transaction(
          'write',
          async (tx, { attempt }) => {
            attempts.push(attempt)
            await note(tx, `try ${attempt}`)
            if (attempt === 0) {
              throw new Error('not yet')
            }
            return attempt
          },
          { retryOptions: { maxAttempts: 2 } },
        )
        try {
          await ctx.transaction('fail', async (tx) => {
            attempts.push(-1)
            await note(tx, 'lost')
            throw new Error('never')
          })
        } catch (error) {
          messages.push((error as Error).message)
        }
        await ctx.sleep('nap', 5_000)
        return kept
      })
      await world.until(executor.start())
      const end = await world.finish(await executor.enqueueTask({ id: 'flow' }, undefined))
      assert.equal(end.status === 'completed' && end.output, 1)
      // The error is remembered for this attempt, as that of a step is.
      assert.deepEqual(messages, ['never', 'never'])
      assert.deepEqual(attempts, [0, 1, -1])
      assert.deepEqual(await notes(world), ['try 1'])
    },
  ),

  sharedCase(
    'together.fails',
    'a result that cannot be kept is a failure, and what was written for it is undone',
    async (world) => {
      const executor = define(world, async (ctx, note) => {
        await ctx.transaction('write', async (tx) => {
          await note(tx, 'lost')
          return (): void => {}
        })
      })
      await world.until(executor.start())
      const end = await world.finish(await executor.enqueueTask({ id: 'flow' }, undefined))
      assert.match(end.status === 'failed' ? end.error.message : '', /^Error serializing value/)
      assert.deepEqual(await notes(world), [])
    },
  ),

  sharedCase(
    'together.stopped',
    'a try that takes longer than its timeoutMs is undone at once, and the next one may succeed',
    async (world) => {
      const gate = createGate()
      const told: Array<boolean> = []
      const executor = define(
        world,
        async (ctx, note) =>
          await ctx.transaction(
            'slow',
            async (tx, { attempt, abortSignal }) => {
              await note(tx, `try ${attempt}`)
              if (attempt === 0) {
                abortSignal.addEventListener('abort', () => told.push(true))
                await gate.promise
                await note(tx, 'late').catch((error: unknown) => told.push(error instanceof Error))
              }
              return attempt
            },
            { timeoutMs: 700, retryOptions: { maxAttempts: 1 } },
          ),
      )
      await world.until(executor.start())
      const end = await world.finish(await executor.enqueueTask({ id: 'flow' }, undefined))
      gate.open()
      await untilTrue(world, () => told.length === 2)
      assert.equal(end.status === 'completed' && end.output, 1)
      assert.deepEqual(told, [true, true])
      assert.deepEqual(await notes(world), ['try 1'])
    },
  ),

  sharedCase(
    'together.stopped',
    'a run that times out, and one that is told to stop, undo their transactions at once',
    async (world) => {
      const called: Array<string> = []
      const flow = (name: string) => async (ctx: DurableTaskRunContext, note: Note) =>
        await ctx.transaction('write', async (tx) => {
          await note(tx, name)
          called.push(name)
          await (called.length <= 2 ? new Promise<never>(() => {}) : Promise.resolve())
          return name
        })
      const first = define(world, flow('first'), { timeoutMs: 5_000, maxAttempts: 1 })
      await world.until(first.start())
      const handle = await first.enqueueTask({ id: 'flow' }, undefined)
      await untilTrue(world, () => called.length === 2)
      await world.until(first.shutdown({ graceMs: 0 }))
      const second = define(world, flow('second'), { timeoutMs: 5_000 })
      await world.until(second.start())
      const end = await world.finish(await second.getTaskHandle({ id: 'flow' }, handle.getTaskExecutionId()))
      assert.equal(end.status === 'completed' && end.output, 'second')
      assert.equal(end.retryAttempts, 1)
      assert.deepEqual(await notes(world), ['second'])
    },
  ),

  sharedCase(
    'together.stopped',
    'a transaction whose turn has not come does not hold up a run that is to stop, and is not begun later',
    async (world) => {
      const gate = createGate()
      const ended: Array<unknown> = []
      let asked = 0
      const storage: DurableStorage = {
        ...createFaultyStorage(world.storage),
        shareTransaction: async (use, keep) => {
          asked += 1
          await gate.promise
          const shared = world.storage.shareTransaction?.(use, keep) as Promise<never>
          shared.catch((error: unknown) => ended.push(error))
          return await shared
        },
      }
      let calls = 0
      const executor = define(
        world,
        async (ctx, note) =>
          await ctx.transaction('write', async (tx) => {
            calls += 1
            await note(tx, 'lost')
          }),
        { storage },
      )
      await world.until(executor.start())
      const handle = await executor.enqueueTask({ id: 'flow' }, undefined)
      await untilTrue(world, () => asked === 1)
      assert.equal(await world.until(handle.cancel()), true)
      await untilTrue(world, () => executor.getRunningTaskExecutionIds().size === 0, 500)
      gate.open()
      await untilTrue(world, () => ended.length === 1)
      assert.equal(calls, 0)
      assert.deepEqual(await notes(world), [])
      assert.deepEqual(
        world.logs.filter(({ message }) => /abandoned/.test(message)),
        [],
      )
    },
  ),

  sharedCase(
    'together.fenced',
    'a run that lost its lease before its transaction ended has written nothing',
    async (world) => {
      const gate = createGate()
      const called: Array<number> = []
      const executor = define(world, async (ctx, note) => {
        if (called.length === 0) {
          called.push(0)
          await gate.promise
        }
        return await ctx.transaction('write', async (tx) => {
          called.push(called.length)
          await note(tx, `call ${called.length}`)
          return called.length
        })
      })
      await world.until(executor.start())
      const handle = await executor.enqueueTask({ id: 'flow' }, undefined)
      const id = handle.getTaskExecutionId()
      await untilTrue(world, () => called.length === 1)
      // As another process does that finds the lease lapsed.
      const putBack = async (startAt: Date): Promise<void> => {
        await world.storage.withTransaction(
          async (tx) =>
            await tx.updateTaskExecutions(
              { type: 'by_execution_ids', executionIds: [id] },
              { status: 'ready', unsetExpiresAt: true, startAt, updatedAt: new Date(0) },
            ),
        )
      }
      await putBack(new Date(world.clock.now() + HOUR))
      gate.open()
      await untilTrue(world, () => executor.getRunningTaskExecutionIds().size === 0)
      assert.equal(called.length, 2)
      assert.deepEqual(await notes(world), [])
      await putBack(new Date(world.clock.now()))
      const end = await world.finish(handle)
      assert.equal(end.status === 'completed' && end.output, 3)
      assert.deepEqual(await notes(world), ['call 3'])
    },
  ),
]
