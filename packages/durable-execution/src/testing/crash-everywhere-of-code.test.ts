/** Durable code comes out the same wherever its process dies: steps, sleeps, signals, children and what is undone. */

import { expect, test } from 'vitest'

import { DurableExecutionError, type DurableExecutor } from '../index.ts'
import { crashEverywhere, type CrashTaskDefinition, type Outside } from './index.ts'

type Order = { name: string; isRefused: boolean }

/** What an order needs beside itself: one who pays, by a signal, and who packs each of its parts. */
function defineHelpers(executor: DurableExecutor, outside: Outside): void {
  executor.task({
    id: 'payer',
    timeoutMs: 60_000,
    run: async (_ctx, orderId: string) => {
      await executor.signal(orderId, 'paid', { amount: 30 }, { idempotencyKey: 'once' })
      return 'paid'
    },
  })
  executor.task({
    id: 'packer',
    timeoutMs: 60_000,
    run: async (ctx, part: string) => {
      await outside.record('packed', { part }, { key: ctx.idempotencyKey })
      if (part === 'glass') {
        throw new DurableExecutionError('It is broken', false)
      }
      return `a box of ${part}`
    },
  })
}

const order: CrashTaskDefinition<Order, Array<string>> = (executor, outside) => {
  defineHelpers(executor, outside)
  return executor.task({
    id: 'order',
    timeoutMs: 60_000,
    run: async (ctx, { name, isRefused }: Order) => {
      const effect = async (what: string, options = {}): Promise<string> =>
        await ctx.step(
          what,
          async ({ idempotencyKey }) => {
            await outside.record(what, { name }, { key: idempotencyKey })
            return what
          },
          options,
        )
      await ctx.compensate('cancel', async ({ idempotencyKey }) => {
        await outside.record('cancelled', { name }, { key: idempotencyKey })
      })
      const steps = await Promise.all([effect('reserve'), effect('register')])
      await ctx.step(
        'ask',
        ({ attempt }) => {
          if (attempt < 2) {
            throw new Error('Nobody answers')
          }
        },
        { retryOptions: { maxAttempts: 2, baseDelayMs: 5_000 } },
      )
      const [payer, { amount }] = await Promise.all([
        ctx.runTask<string, string>({ id: 'payer' }, ctx.executionId),
        ctx.waitForSignal<{ amount: number }>('paid', { timeoutMs: 86_400_000 }),
      ])
      await ctx.sleep('a moment', 300)
      await ctx.sleep('a day', 86_400_000)
      await ctx.compensate('give back', async ({ idempotencyKey }) => {
        await outside.record('gave back', { name, amount }, { key: idempotencyKey })
      })
      const boxes = await ctx.runTasks([
        { task: { id: 'packer' }, input: 'books' },
        { task: { id: 'packer' }, input: 'tea' },
      ])
      const broken = await ctx
        .runTask<string, string>({ id: 'packer' }, 'glass', { name: 'glass' })
        .catch((error: unknown) => (error as Error).message)
      await ctx.setState('packed')
      if (isRefused) {
        throw new DurableExecutionError('Nobody wants it', false)
      }
      await effect('deliver')
      return [...steps, payer, ...boxes.map(String), broken]
    },
  })
}

const EFFECTS = ['packed', 'packed', 'packed', 'register', 'reserve']

test('an order is done the same wherever its process dies', async () => {
  const { outcome, tried, missed } = await crashEverywhere(order, { name: 'A-1', isRefused: false })
  expect(outcome).toMatchObject({ status: 'completed' })
  expect(outcome.status === 'completed' && outcome.output).toEqual([
    'reserve',
    'register',
    'paid',
    'a box of books',
    'a box of tea',
    expect.stringContaining('It is broken'),
  ])
  expect(outcome.effects.map(({ name }) => name).toSorted()).toEqual(['deliver', ...EFFECTS])
  expect(tried.length).toBeGreaterThan(100)
  expect(missed).toEqual([])
})

test('an order that is refused is undone the same wherever its process dies', async () => {
  const { outcome, tried } = await crashEverywhere(order, { name: 'A-2', isRefused: true })
  expect(outcome).toMatchObject({ status: 'failed', error: { message: 'Nobody wants it' } })
  expect(outcome.effects.map(({ name }) => name).toSorted()).toEqual(['cancelled', 'gave back', ...EFFECTS])
  expect(outcome.effects.slice(-2).map(({ name }) => name)).toEqual(['gave back', 'cancelled'])
  expect(tried.length).toBeGreaterThan(100)
})
