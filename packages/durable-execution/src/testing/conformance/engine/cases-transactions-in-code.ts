/** Cases: what code writes in a transaction is committed with its result, or not at all. */

import assert from 'node:assert/strict'

import { type DurableExecutor } from '../../../executor/executor.ts'
import { type DurableTaskRunContext } from '../../../task/context.ts'
import { type DurableStorage, type DurableStorageTx } from '../../../storage/contract.ts'
import { createFaultyStorage, type TransactionTrace } from '../../faults.ts'
import { hideOptionalMembers } from '../../hide-optional-members.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { createGate, untilRow, untilTrue } from './lives.ts'
import { assertRefused } from './refusals.ts'
import { type EngineWorld } from './world.ts'

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

const HOUR = 3_600_000

/** What the tests write in their transactions: executions of a task of its own. */
type Note = (transaction: object, text: string) => Promise<void>

/** An executor with the task `flow`, and what enqueues in the transactions of that. */
function define(
  world: EngineWorld,
  run: (ctx: DurableTaskRunContext, note: Note) => Promise<unknown>,
  options: Parameters<EngineWorld['newExecutor']>[0] & { maxAttempts?: number; timeoutMs?: number } = {},
): DurableExecutor {
  const { maxAttempts = 0, timeoutMs = HOUR, ...rest } = options
  const executor = world.newExecutor(rest)
  executor.task({ id: 'note', timeoutMs: HOUR, run: (_ctx, text: string) => text })
  const note: Note = async (transaction, text) => {
    await executor.enqueueTask<string, string>({ id: 'note' }, text, { transaction })
  }
  executor.task({
    id: 'flow',
    timeoutMs,
    retryOptions: { maxAttempts },
    run: async (ctx) => await run(ctx, note),
  })
  return executor
}

/** What was written. */
async function notes(world: EngineWorld): Promise<Array<unknown>> {
  const rows = await world.rows()
  return rows
    .filter(({ taskId }) => taskId === 'note')
    .map(({ runInput }) => JSON.parse(runInput) as unknown)
    .toSorted((a, b) => (String(a) < String(b) ? -1 : 1))
}

/** The kinds of what is remembered, but for what is no try and no result. */
async function kinds(world: EngineWorld): Promise<Array<string>> {
  const rows = await world.rows()
  return rows.filter(({ runInput }) => /^#(?:step|try)$/.test(runInput)).map(({ runInput }) => runInput)
}

/** Whether it is the transaction in which a result is kept. */
function keepsResult({ calls }: TransactionTrace): boolean {
  return calls.some(
    ({ operation, args }) =>
      operation === 'insertTaskExecutions' &&
      (args[0] as Array<{ runInput: string }>).some(({ runInput }) => runInput === '#step'),
  )
}

/** A case over storages that share transactions; over others it shows that they are refused. */
function sharedCase(
  rule: string,
  name: string,
  run: (world: EngineWorld) => Promise<void>,
): EngineConformanceCase {
  return engineCase(rule, name, async (world) => {
    const { shareTransaction, joinTransaction } = world.storage
    await (shareTransaction !== undefined && joinTransaction !== undefined ? run(world) : showRefusal(world))
  })
}

async function showRefusal(world: EngineWorld): Promise<void> {
  let calls = 0
  const executor = define(
    world,
    async (ctx) => {
      await assertRefused(
        async () =>
          await ctx.transaction('write', () => {
            calls += 1
          }),
        'ctx.transaction is not supported by this storage. Use ctx.step, or a storage that shares your database: SQLite or Postgres.',
      )
      await assertRefused(
        async () => await ctx.transaction('none', null as never),
        'Transaction none needs a function',
      )
      // What is remembered of a step is found all the same.
      await ctx.step('before', () => 1)
      return await ctx.step('write', () => 'by a step')
    },
    { storage: hideOptionalMembers(world.storage), maxAttempts: 3 },
  )
  await world.until(executor.start())
  const end = await world.finish(await executor.enqueueTask({ id: 'flow' }, undefined))
  assert.equal(end.status === 'completed' && end.output, 'by a step')
  assert.equal(calls, 0)
}

export const TRANSACTION_IN_CODE_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'together.refused',
    'a transaction on a storage that shares none is refused, and leaves nothing',
    showRefusal,
  ),

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
    'a durable call inside the function is refused at once, and is none when that has ended',
    async (world) => {
      const gate = createGate()
      const messages: Array<string> = []
      const executor = define(world, async (ctx, note) => {
        const tell = async (call: Promise<unknown>): Promise<void> => {
          await call.catch((error: unknown) => messages.push((error as Error).message))
        }
        let later: Promise<number> | undefined
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
          later = gate.promise.then(async () => await ctx.step('later', () => 7))
        })
        gate.open()
        await tell(
          ctx.transaction('failing', async (tx) => {
            await note(tx, 'lost')
            await ctx.step('step', () => 1)
          }),
        )
        return [await ctx.step('step', () => 1), await later]
      })
      await world.until(executor.start())
      // Nobody waits for anything.
      const end = await world.finish(await executor.enqueueTask({ id: 'flow' }, undefined), 5_000)
      assert.deepEqual(end.status === 'completed' && end.output, [1, 7])
      const calls = 'step transaction sleep waitForSignal runTask runTasks compensate setState'
      const refusalOf = (call: string, name: string): string =>
        `ctx.${call} was called inside the function of transaction ${name}, which is no place for it. Call it before or after the transaction.`
      assert.deepEqual(messages, [
        ...calls.split(' ').map((call) => refusalOf(call, 'outer')),
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

/** The transaction of somebody who does not see yet what was committed just before. */
function withoutResults(tx: DurableStorageTx, seen: () => void): DurableStorageTx {
  return new Proxy(tx, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== 'function' || !String(name).startsWith('getTaskExecutions')) {
        return member
      }
      return async (...args: Array<unknown>): Promise<unknown> => {
        const rows = (await Reflect.apply(member, target, args)) as Array<{ runInput: string }>
        const others = rows.filter(({ runInput }) => runInput !== '#step')
        if (others.length < rows.length) {
          seen()
        }
        return others
      }
    },
  })
}
