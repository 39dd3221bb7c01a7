/** What cases of transactions in code share: a task that writes in them, and what it wrote. */

import assert from 'node:assert/strict'

import { type DurableExecutor } from '../../../executor/executor.ts'
import { type DurableTaskRunContext } from '../../../task/context.ts'
import { type DurableStorageTx } from '../../../storage/contract.ts'
import { type TransactionTrace } from '../../faults.ts'
import { hideOptionalMembers } from '../../hide-optional-members.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { assertRefused } from './refusals.ts'
import { type EngineWorld } from './world.ts'

export const HOUR = 3_600_000

/** What the tests write in their transactions: executions of a task of its own. */
export type Note = (transaction: object, text: string) => Promise<void>

/** An executor with the task `flow`, and what enqueues in the transactions of that. */
export function define(
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
export async function notes(world: EngineWorld): Promise<Array<unknown>> {
  const rows = await world.rows()
  return rows
    .filter(({ taskId }) => taskId === 'note')
    .map(({ runInput }) => JSON.parse(runInput) as unknown)
    .toSorted((a, b) => (String(a) < String(b) ? -1 : 1))
}

/** The kinds of what is remembered, but for what is no try and no result. */
export async function kinds(world: EngineWorld): Promise<Array<string>> {
  const rows = await world.rows()
  return rows.filter(({ runInput }) => /^#(?:step|try)$/.test(runInput)).map(({ runInput }) => runInput)
}

/** Whether it is the transaction in which a result is kept. */
export function keepsResult({ calls }: TransactionTrace): boolean {
  return calls.some(
    ({ operation, args }) =>
      operation === 'insertTaskExecutions' &&
      (args[0] as Array<{ runInput: string }>).some(({ runInput }) => runInput === '#step'),
  )
}

/** A case over storages that share transactions; over others it shows that they are refused. */
export function sharedCase(
  rule: string,
  name: string,
  run: (world: EngineWorld) => Promise<void>,
): EngineConformanceCase {
  return engineCase(rule, name, async (world) => {
    const { shareTransaction, joinTransaction } = world.storage
    await (shareTransaction !== undefined && joinTransaction !== undefined ? run(world) : showRefusal(world))
  })
}

export async function showRefusal(world: EngineWorld): Promise<void> {
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

/** The transaction of somebody who does not see yet what was committed just before. */
export function withoutResults(tx: DurableStorageTx, seen: () => void): DurableStorageTx {
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
