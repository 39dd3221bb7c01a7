/** Cases: what code writes in a transaction is committed with its result, or not at all. */

import assert from 'node:assert/strict'

import { type DurableTaskRunContext } from '../../../task/context.ts'
import { type DurableStorage, type DurableStorageTx } from '../../../storage/contract.ts'
import { createFaultyStorage } from '../../faults.ts'
import { type EngineConformanceCase } from './case.ts'
import { createGate, untilTrue } from './lives.ts'
import {
  define,
  keepsResult,
  kinds,
  type Note,
  notes,
  sharedCase,
  withoutResults,
} from './transactions-in-code.ts'

export const TRANSACTION_IN_CODE_RULES: Record<string, string> = {
  'together.kept':
    'What the function of a transaction writes and its result are committed together; after that it is not called again.',
  'together.crash': 'A crash before the commit leaves neither, and the function is called again.',
  'together.lost_reply': 'A commit that was not acknowledged counts: the function is not called again.',
  'together.outage':
    'What fails on the side of the storage is no failure of the function: all of it is done again.',
  'together.fails': 'A function that throws leaves nothing, and is tried again as its retryOptions say.',
  'together.stopped': 'A function that is to stop, or takes too long, leaves nothing.',
  'together.fenced': 'A run that has lost its lease writes nothing.',
  'together.like_a_step':
    'A transaction is remembered like a step: one may become the other, and both are replayed.',
  'together.parallel': 'Transactions and steps may be under way at a time.',
  'together.no_calls_inside': 'Inside the function of a transaction durable calls are refused.',
  'together.refused': 'Where the storage shares no database, and where no function is given, it is refused.',
}

export const TRANSACTION_IN_CODE_CASES: Array<EngineConformanceCase> = [
  sharedCase(
    'together.kept',
    'what was committed is not done again after a crash, and its result is that of the first time',
    async (world) => {
      const gate = createGate()
      const called: Array<string> = []
      const flow = (name: string) => async (ctx: DurableTaskRunContext, note: Note) => {
        const at = await ctx.transaction('write', async (tx, { attempt, idempotencyKey }) => {
          called.push(`${name} ${attempt} ${typeof idempotencyKey}`)
          await note(tx, 'one')
          await note(tx, 'two')
          return new Date(7)
        })
        if (name === 'first') {
          await gate.promise
        }
        return at
      }
      const first = define(world, flow('first'), { expireMs: 4_000 })
      await world.until(first.start())
      const handle = await first.enqueueTask({ id: 'flow' }, undefined)
      await untilTrue(world, () => called.length === 1)
      await world.clock.settle()
      world.kill(first)
      const second = define(world, flow('second'), { expireMs: 4_000 })
      await world.until(second.start())
      const end = await world.finish(await second.getTaskHandle({ id: 'flow' }, handle.getTaskExecutionId()))
      assert.deepEqual(end.status === 'completed' && end.output, new Date(7))
      assert.deepEqual(called, ['first 0 string'])
      assert.deepEqual(await notes(world), ['one', 'two'])
      gate.open()
    },
  ),

  sharedCase(
    'together.crash',
    'a process that dies in the middle of a transaction leaves nothing of it',
    async (world) => {
      const gate = createGate()
      const called: Array<string> = []
      const flow = (name: string) => async (ctx: DurableTaskRunContext, note: Note) =>
        await ctx.transaction('write', async (tx) => {
          await note(tx, name)
          called.push(name)
          if (name === 'first') {
            await gate.promise
          }
          return name
        })
      const first = define(world, flow('first'), { expireMs: 4_000 })
      await world.until(first.start())
      const handle = await first.enqueueTask({ id: 'flow' }, undefined)
      await untilTrue(world, () => called.length === 1)
      world.kill(first)
      gate.open()
      const second = define(world, flow('second'), { expireMs: 4_000 })
      await world.until(second.start())
      const end = await world.finish(await second.getTaskHandle({ id: 'flow' }, handle.getTaskExecutionId()))
      assert.equal(end.status === 'completed' && end.output, 'second')
      assert.deepEqual(called, ['first', 'second'])
      assert.deepEqual(await notes(world), ['second'])
    },
  ),

  sharedCase(
    'together.lost_reply',
    'a transaction whose commit was not acknowledged is found, and not done again',
    async (world) => {
      const storage = createFaultyStorage(world.storage)
      let faults = 1
      storage.failAtCommitWhen((trace) => (keepsResult(trace) && faults-- > 0 ? 'lost_reply' : undefined))
      let calls = 0
      const executor = define(
        world,
        async (ctx, note) =>
          await ctx.transaction('write', async (tx) => {
            calls += 1
            await note(tx, 'once')
            return calls
          }),
        { storage },
      )
      await world.until(executor.start())
      const end = await world.finish(await executor.enqueueTask({ id: 'flow' }, undefined))
      assert.equal(end.status === 'completed' && end.output, 1)
      assert.equal(calls, 1)
      assert.deepEqual(await notes(world), ['once'])
    },
  ),

  ...['fails', 'succeeds'].map((next) =>
    sharedCase(
      'together.lost_reply',
      `a transaction that was committed unheard counts, though the function is called again and ${next}`,
      async (world) => {
        const storage = createFaultyStorage(world.storage)
        // The first is committed, but where it is looked for it is not seen yet.
        let isHidden = false
        let faults = 1
        storage.failAtCommitWhen((trace) => {
          if (keepsResult(trace) && faults-- > 0) {
            isHidden = true
            return 'lost_reply'
          }
          return undefined
        })
        const hiding: DurableStorage = {
          ...storage,
          withTransaction: async (fn, hint) =>
            await storage.withTransaction(
              async (tx) => await fn(isHidden ? withoutResults(tx, () => (isHidden = false)) : tx),
              hint,
            ),
        }
        let calls = 0
        const executor = define(
          world,
          async (ctx, note) =>
            await ctx.transaction('write', async (tx) => {
              calls += 1
              if (calls === 2 && next === 'fails') {
                throw new Error('it is there already')
              }
              await note(tx, 'once')
              return calls
            }),
          { storage: hiding },
        )
        await world.until(executor.start())
        const end = await world.finish(await executor.enqueueTask({ id: 'flow' }, undefined))
        assert.equal(end.status === 'completed' && end.output, 1)
        assert.equal(calls, 2)
        assert.deepEqual(await notes(world), ['once'])
        assert.deepEqual(await kinds(world), ['#step'])
      },
    ),
  ),

  sharedCase(
    'together.outage',
    'a transaction that cannot begin or cannot be committed is done again, and has not failed',
    async (world) => {
      const faulty = createFaultyStorage(world.storage)
      let faults = 2
      faulty.failAtCommitWhen((trace) => (keepsResult(trace) && faults-- > 0 ? 'lost_in_between' : undefined))
      let begins = 0
      const storage: DurableStorage = {
        ...faulty,
        shareTransaction: async (use, keep) => {
          begins += 1
          assert.ok(faulty.shareTransaction)
          return begins <= 2
            ? await Promise.reject(new Error('The storage is away'))
            : await faulty.shareTransaction(use, keep)
        },
      }
      let calls = 0
      const executor = define(
        world,
        async (ctx, note) =>
          await ctx.transaction('write', async (tx) => {
            calls += 1
            await note(tx, 'once')
            return calls
          }),
        { storage },
      )
      await world.until(executor.start())
      const end = await world.finish(await executor.enqueueTask({ id: 'flow' }, undefined))
      assert.equal(end.status === 'completed' && end.output, 3)
      assert.equal(end.retryAttempts, 0)
      assert.equal(begins, 5)
      assert.deepEqual(await notes(world), ['once'])
      assert.deepEqual(await kinds(world), ['#step'])
    },
  ),

  sharedCase(
    'together.outage',
    'what the storage never takes ends the step with the storage’s reason, and not for ever',
    async (world) => {
      const refusal = Object.assign(new Error('permission denied for table'), { code: '42501' })
      const storage: DurableStorage = {
        ...createFaultyStorage(world.storage),
        // As it is where the statement that keeps the result fails.
        shareTransaction: async (use, keep) => {
          await keep({} as DurableStorageTx, await use({})).catch(() => {})
          throw refusal
        },
      }
      let calls = 0
      const executor = define(
        world,
        async (ctx) =>
          await ctx.transaction('write', () => {
            calls += 1
          }),
        { storage, maxAttempts: 2 },
      )
      await world.until(executor.start())
      const end = await world.finish(await executor.enqueueTask({ id: 'flow' }, undefined))
      assert.equal(
        end.status === 'failed' && end.error.message,
        'Could not be stored: permission denied for table',
      )
      assert.equal(calls, 3)
    },
  ),
]
