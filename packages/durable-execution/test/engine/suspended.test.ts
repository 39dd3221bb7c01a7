/** What tens of thousands of suspended executions cost an executor: no call of its storage, and no memory of its own. */

import { expect, test } from 'vitest'

import { createDefaultSerializer } from '../../src/base/serializer.ts'
import { createDurableTaskExecutionStorageObject, type ExecutionRow } from '../../src/machine/execution.ts'
import { type DurableStorage } from '../../src/storage/contract.ts'
import { runInWorld, type EngineWorld } from '../../src/testing/conformance/engine/world.ts'
import { memoryPlace, nodeSqlitePlace } from '../storages/places.ts'

const MANY = 20_000
const HOUR = 3_600_000

test.each([
  ['in memory', memoryPlace],
  ['on SQLite', nodeSqlitePlace],
])(
  `${MANY} suspended executions change nothing for an executor that looks for ten minutes, %s`,
  async (_, create) => {
    const place = await create()
    try {
      await runInWorld(place.open, watchForTenMinutes, { isChecked: false })
    } finally {
      await place.cleanup()
    }
  },
)

async function watchForTenMinutes(world: EngineWorld): Promise<void> {
  const counted = withCounts(world.storage)
  const executor = world.newExecutor({ storage: counted.storage })
  let runs = 0
  executor.task({
    id: 'flow',
    timeoutMs: HOUR,
    run: async (ctx) => {
      runs += 1
      return await ctx.waitForSignal('go')
    },
  })
  await world.until(executor.start())
  const countOfTenMinutes = async (): Promise<{ transactions: number; rows: number }> => {
    await world.clock.advance('1m')
    const { transactions, rows } = counted
    await world.clock.advance('10m')
    return { transactions: counted.transactions - transactions, rows: counted.rows - rows }
  }
  const alone = await countOfTenMinutes()
  const timers = world.clock.pendingTimers()
  for (let from = 0; from < MANY; from += 1_000) {
    await world.storage.withTransaction(async (tx) => {
      await tx.insertTaskExecutions(
        Array.from({ length: 1_000 }, (_, index) => suspended(world, from + index)),
      )
    })
  }
  const beside = await countOfTenMinutes()
  // It looks at once when others have written something.
  expect(beside.transactions).toBeLessThanOrEqual(alone.transactions + 5)
  // One look at the first that is to come, at the most.
  expect(beside.rows - alone.rows).toBeLessThanOrEqual(beside.transactions * 16)
  expect(executor.getRunningTaskExecutionIds().size).toBe(0)
  expect(world.clock.pendingTimers()).toBe(timers)
  expect(runs).toBe(0)
}

function suspended({ clock }: EngineWorld, index: number): ExecutionRow {
  const now = clock.now()
  return {
    ...createDurableTaskExecutionStorageObject({
      now: new Date(now),
      taskId: 'flow',
      executionId: `te_${index}`,
      retryOptions: { maxAttempts: 0 },
      sleepMsBeforeRun: 0,
      timeoutMs: HOUR,
      runInput: createDefaultSerializer().serialize(null),
    }),
    depth: 1,
    startedAt: new Date(now - 1),
    startAt: new Date(now + 1_000 * HOUR),
    suspendedFor: [{ kind: 'signal', name: 'go', ordinal: 1 }],
  }
}

/** The storage, and how many transactions it was asked for, and how many rows or ids it gave. */
function withCounts(storage: DurableStorage): {
  storage: DurableStorage
  transactions: number
  rows: number
} {
  const counts = {
    transactions: 0,
    rows: 0,
    storage: {
      ...storage,
      withTransaction: async (fn, hint) => {
        counts.transactions += 1
        return await storage.withTransaction(
          async (tx) =>
            await fn(
              new Proxy(tx, {
                get: (target, name) => {
                  const member: unknown = Reflect.get(target, name, target)
                  return typeof member === 'function'
                    ? async (...args: Array<unknown>): Promise<unknown> => {
                        const answer: unknown = await (Reflect.apply(member, target, args) as unknown)
                        counts.rows += Array.isArray(answer) ? answer.length : 0
                        return answer
                      }
                    : member
                },
              }),
            ),
          hint,
        )
      },
    } satisfies DurableStorage,
  }
  return counts
}
