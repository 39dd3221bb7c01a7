/** Cases: transactions in code, and the durable calls beside them. */

import assert from 'node:assert/strict'

import { type EngineConformanceCase, engineCase } from './case.ts'
import { createGate, untilRow, untilTrue } from './lives.ts'
import { define, notes, sharedCase, showRefusal } from './transactions-in-code.ts'

export const TRANSACTION_BESIDE_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'together.refused',
    'a transaction on a storage that shares none is refused, and leaves nothing',
    showRefusal,
  ),

  sharedCase(
    'together.like_a_step',
    'a step that became a transaction is found, and a transaction that became a step',
    async (world) => {
      const done: Array<string> = []
      const old = define(world, async (ctx, note) => {
        await ctx.step('first', () => done.push('old first'))
        await ctx.transaction('second', async (tx) => {
          done.push('old second')
          await note(tx, 'old')
        })
        await ctx.sleep('nap', 60_000)
      })
      await world.until(old.start())
      const handle = await old.enqueueTask({ id: 'flow' }, undefined)
      await untilRow(
        world,
        handle.getTaskExecutionId(),
        (row) => row.status === 'ready' && row.startedAt !== undefined,
      )
      await world.until(old.shutdown())
      const deployed = define(world, async (ctx, note) => {
        await ctx.transaction('first', () => done.push('new first'))
        await ctx.step('second', () => done.push('new second'))
        await ctx.transaction('first', async (tx) => await note(tx, 'new'))
        await ctx.sleep('nap', 60_000)
        return 'done'
      })
      await world.until(deployed.start())
      const end = await world.finish(
        await deployed.getTaskHandle({ id: 'flow' }, handle.getTaskExecutionId()),
      )
      assert.equal(end.status === 'completed' && end.output, 'done')
      assert.deepEqual(done, ['old first', 'old second'])
      assert.deepEqual(await notes(world), ['new', 'old'])
    },
  ),

  sharedCase(
    'together.like_a_step',
    'an execution that ends badly is undone with what its transactions gave',
    async (world) => {
      const undone: Array<unknown> = []
      let calls = 0
      const executor = define(world, async (ctx, note) => {
        const booked = await ctx.transaction('book', async (tx) => {
          calls += 1
          await note(tx, 'booking')
          return `booking ${calls}`
        })
        await ctx.compensate('book', () => undone.push(booked))
        throw new Error('sold out')
      })
      await world.until(executor.start())
      const end = await world.finish(await executor.enqueueTask({ id: 'flow' }, undefined))
      assert.equal(end.status, 'failed')
      await untilTrue(world, () => undone.length > 0)
      assert.deepEqual(undone, ['booking 1'])
      assert.equal(calls, 1)
      await untilTrue(world, () => executor.getRunningTaskExecutionIds().size === 0)
      await world.clock.settle()
    },
  ),

  sharedCase(
    'together.no_calls_inside',
    'a durable call inside the function is refused at once, also when that has ended',
    async (world) => {
      const gate = createGate()
      const messages: Array<string> = []
      const executor = define(world, async (ctx, note) => {
        const tell = async (call: Promise<unknown>): Promise<void> => {
          await call.catch((error: unknown) => messages.push((error as Error).message))
        }
        let later: Promise<void> | undefined
        let late: Promise<void> | undefined
        await ctx.transaction('outer', async (tx) => {
          await note(tx, 'kept')
          await tell(ctx.step('step', () => 1))
          await tell(ctx.transaction('transaction', () => 1))
          await tell(ctx.sleep('sleep', 10))
          await tell(ctx.waitForSignal('waitForSignal', { timeoutMs: 10 }))
          await tell(ctx.runTask<string, string>({ id: 'note' }, 'child'))
          await tell(ctx.runTasks([{ task: { id: 'note' }, input: 'child' }]))
          await tell(ctx.compensate('compensate', () => {}))
          await tell(ctx.setState('state'))
          later = gate.promise.then(async () => await tell(ctx.step('step', () => 7)))
        })
        await tell(
          ctx.transaction(
            'slow',
            async () => {
              await gate.promise
              late = tell(ctx.step('step', () => 1))
            },
            { timeoutMs: 700 },
          ),
        )
        gate.open()
        await tell(
          ctx.transaction('failing', async (tx) => {
            await note(tx, 'lost')
            await ctx.step('step', () => 1)
          }),
        )
        const step = await ctx.step('step', () => 1)
        await late
        await later
        return step
      })
      await world.until(executor.start())
      // Nobody waits for anything.
      const end = await world.finish(await executor.enqueueTask({ id: 'flow' }, undefined), 5_000)
      assert.deepEqual(end.status === 'completed' && end.output, 1)
      const calls = 'step transaction sleep waitForSignal runTask runTasks compensate setState'
      const refusalOf = (call: string, name: string): string =>
        `ctx.${call} was called in the function of transaction ${name}, which is one thing that is done or not. Call it before or after that.`
      assert.deepEqual(messages, [
        ...calls.split(' ').map((call) => refusalOf(call, 'outer')),
        'Step slow timed out',
        refusalOf('step', 'outer'),
        refusalOf('step', 'slow'),
        refusalOf('step', 'failing'),
      ])
      assert.deepEqual(await notes(world), ['kept'])
    },
  ),

  sharedCase(
    'together.parallel',
    'transactions of one run and of others, and steps beside them, are all kept',
    async (world) => {
      const executor = define(world, async (ctx, note) => {
        const parts = [1, 2, 3].map(
          async (part) =>
            await ctx.transaction('write', async (tx) => {
              await note(tx, `part ${part}`)
              return part
            }),
        )
        return await Promise.all([...parts, ctx.step('beside', () => 4), ctx.transaction('five', () => 5)])
      })
      await world.until(executor.start())
      const handles = await Promise.all(
        [1, 2, 3, 4].map(async () => await executor.enqueueTask({ id: 'flow' }, undefined)),
      )
      for (const handle of handles) {
        const end = await world.finish(handle)
        assert.deepEqual(end.status === 'completed' && end.output, [1, 2, 3, 4, 5])
      }
      assert.equal((await notes(world)).length, 12)
    },
  ),
]
