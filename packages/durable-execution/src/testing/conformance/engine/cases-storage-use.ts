/** Cases: how the engine uses a storage, and what it does not ask of it. */

import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'

import { type DurableStorage, type DurableStorageTx } from '../../../storage/contract.ts'
import { liveBusyDay } from './busy-day.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { type Call, latest, quickTask, untilRow, untilTrue, waitingTask, withCallListener } from './lives.ts'

/** The ids or rows that a call gives as a list. */
function listsOf({ args }: Call): Array<Array<unknown>> {
  const where = args[0] as Record<string, unknown> | Array<unknown> | undefined
  if (Array.isArray(where)) {
    return [where]
  }
  return [where?.['executionIds'], where?.['statuses'], where?.['taskIds'], where?.['leases']].filter(
    (list) => Array.isArray(list),
  )
}

/** Whatever answers several rows answers them in another order each time. */
function scrambled(storage: DurableStorage): DurableStorage {
  let turn = 0
  const scramble = (answer: unknown): unknown => {
    turn += 1
    return Array.isArray(answer) ? (turn % 2 === 0 ? answer.toReversed() : rotate(answer)) : answer
  }
  const wrap = (tx: DurableStorageTx): DurableStorageTx =>
    new Proxy(tx, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target)
        return typeof member === 'function'
          ? async (...args: Array<unknown>): Promise<unknown> =>
              scramble(await (Reflect.apply(member, target, args) as unknown))
          : member
      },
    })
  return { withTransaction: (fn, hint) => storage.withTransaction((tx) => fn(wrap(tx)), hint) }
}

const rotate = (list: Array<unknown>): Array<unknown> => [...list.slice(1), ...list.slice(0, 1)]

export const STORAGE_USE_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'storage.no_empty_list',
    'no operation is called with an empty list or the limit 0',
    async (world) => {
      const wrong: Array<Call> = []
      const storage = withCallListener(world.storage, (call) => {
        const limit = call.operation.startsWith('get')
          ? call.args[1]
          : (call.args[0] as { limit?: number })?.limit
        if (limit === 0 || listsOf(call).some((list) => list.length === 0)) {
          wrong.push(call)
        }
      })
      await liveBusyDay(world, storage)
      assert.deepEqual(wrong, [])
    },
  ),

  engineCase('storage.no_nesting', 'no transaction is opened inside another', async (world) => {
    const inside = new AsyncLocalStorage<true>()
    let nested = 0
    const storage: DurableStorage = {
      withTransaction: async (fn, hint) => {
        nested += inside.getStore() === true ? 1 : 0
        return await world.storage.withTransaction((tx) => inside.run(true, () => fn(tx)), hint)
      },
    }
    await liveBusyDay(world, storage)
    assert.equal(nested, 0)
  }),

  engineCase(
    'storage.one_call',
    'a transaction that is said to make one call makes no second one',
    async (world) => {
      for (const hidden of [
        [],
        ['claimTaskExecutions'],
        ['updateTaskExecutionsBatch'],
        ['renewTaskExecutions'],
      ]) {
        let most = 0
        const storage: DurableStorage = {
          withTransaction: async (fn, hint) => {
            let calls = 0
            const counted = (tx: DurableStorageTx): DurableStorageTx =>
              new Proxy(tx, {
                get: (target, name) => {
                  const member: unknown = hidden.includes(String(name))
                    ? undefined
                    : Reflect.get(target, name, target)
                  return typeof member === 'function'
                    ? (...args: Array<unknown>): unknown => {
                        calls += 1
                        return Reflect.apply(member, target, args)
                      }
                    : member
                },
              })
            // The hint is not passed on: a storage of ours would refuse the second call itself.
            const answer = await world.storage.withTransaction((tx) => fn(counted(tx)))
            most = Math.max(most, hint?.oneCall === true ? calls : 0)
            return answer
          },
        }
        await liveBusyDay(world, storage)
        assert.equal(most, 1)
      }
    },
  ),

  engineCase('storage.any_order', 'the engine is correct whatever the order of answers', async (world) => {
    await liveBusyDay(world, scrambled(world.storage))
  }),

  engineCase('claim.free_slots', 'no more is claimed than there are free slots', async (world) => {
    const executor = world.newExecutor({ maxConcurrentTaskExecutions: 3 })
    const { task, started } = waitingTask(executor, 'work')
    for (let count = 0; count < 8; count += 1) {
      await executor.enqueueTask(task, count)
    }
    await world.until(executor.start())
    let most = 0
    await untilTrue(world, () => {
      most = Math.max(most, executor.getRunningTaskExecutionIds().size)
      for (const { gate } of started) {
        gate.open('done')
      }
      return started.length === 8
    })
    assert.ok(most <= 3)
  }),

  engineCase('claim.earliest_first', 'what was due earliest is claimed first', async (world) => {
    const executor = world.newExecutor({ maxConcurrentTaskExecutions: 1 })
    const order: Array<unknown> = []
    const task = quickTask(executor, 'work', (_, input) => order.push(input))
    for (const sleepMsBeforeRun of [300, 100, 200]) {
      await executor.enqueueTask(task, sleepMsBeforeRun, { sleepMsBeforeRun })
    }
    await world.clock.advance(1_000)
    await world.until(executor.start())
    await untilTrue(world, () => order.length === 3)
    assert.deepEqual(order, [100, 200, 300])
  }),

  engineCase(
    'claim.after_commit',
    'nothing of the user’s runs before its claim is committed',
    async (world) => {
      let startedBeforeCommit = 0
      let isOpen = false
      const storage: DurableStorage = {
        withTransaction: async (fn, hint) => {
          isOpen = true
          try {
            return await world.storage.withTransaction(fn, hint)
          } finally {
            isOpen = false
          }
        },
      }
      const executor = world.newExecutor({ storage })
      const task = executor.task({
        id: 'work',
        timeoutMs: 1_000,
        run: async (ctx): Promise<void> => {
          startedBeforeCommit += isOpen ? 1 : 0
          const row = await world.row(ctx.executionId)
          startedBeforeCommit += row.status === 'running' ? 0 : 1
        },
      })
      await world.until(executor.start())
      await world.finish(await executor.enqueueTask(task, 1))
      assert.equal(startedBeforeCommit, 0)
    },
  ),

  engineCase(
    'claim.not_before_due',
    'nothing runs before its time, and what is due within a poll runs on time',
    async (world) => {
      const executor = world.newExecutor()
      const task = quickTask(executor, 'work', () => world.clock.now())
      await world.until(executor.start())
      for (const sleepMsBeforeRun of [70, 430, 2_310]) {
        const handle = await executor.enqueueTask(task, 1, { sleepMsBeforeRun })
        const { startAt } = await world.row(handle.getTaskExecutionId())
        const end = await world.finish(handle)
        const lateMs = (end.status === 'completed' ? Number(end.output) : NaN) - startAt.getTime()
        assert.ok(lateMs >= 0 && lateMs <= 50, `it ran ${lateMs} ms after its time`)
      }
    },
  ),

  engineCase(
    'claim.waits_for_old_function',
    'a retry waits for the old function, at most a second',
    async (world) => {
      const executor = world.newExecutor()
      const { task, started } = waitingTask(executor, 'work', { timeoutMs: 1_000, maxAttempts: 2 })
      await world.until(executor.start())
      const handle = await executor.enqueueTask(task, 1)
      await untilTrue(world, () => started.length === 1)
      const old = latest(started)
      await untilRow(world, handle.getTaskExecutionId(), ({ retryAttempts }) => retryAttempts === 1)
      await world.clock.advance(800)
      assert.equal(started.length, 1)
      await world.clock.advance(300)
      assert.equal(started.length, 2)
      await untilRow(world, handle.getTaskExecutionId(), ({ retryAttempts }) => retryAttempts === 2)
      const second = latest(started)
      await world.clock.advance(100)
      second.gate.open('ended in time, and does not count')
      await world.clock.settle()
      assert.equal(started.length, 3)
      latest(started).gate.open('third')
      const end = await world.finish(handle)
      assert.equal(end.status === 'completed' && end.output, 'third')
      old.gate.open('much too late')
    },
  ),
]
