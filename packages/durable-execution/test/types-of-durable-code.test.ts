/** What the compiler knows of durable code: results, payloads and outputs are inferred, and misuse does not compile. */

import { expectTypeOf, test } from 'vitest'

import { createInMemoryStorage, DurableExecutor, type DurableTaskRunContext } from '../src/index.ts'

const executor = new DurableExecutor(createInMemoryStorage())
const double = executor.task({ id: 'double', timeoutMs: 1, run: (_ctx, input: number) => input * 2 })
const shout = executor.task({ id: 'shout', timeoutMs: 1, run: (_ctx, input: string) => input.toUpperCase() })

const amount = {
  '~standard': {
    version: 1 as const,
    vendor: 'test',
    validate: (value: unknown): { value: number } => ({ value: Number(value) }),
    types: undefined as unknown as { input: string; output: number },
  },
}

/** Never called: what matters is how it compiles. */
async function code(ctx: DurableTaskRunContext): Promise<void> {
  expectTypeOf(await ctx.step('plain', () => 1)).toEqualTypeOf<number>()
  expectTypeOf(await ctx.step('later', async () => await Promise.resolve('text'))).toEqualTypeOf<string>()
  expectTypeOf(
    await ctx.step('known', ({ attempt, idempotencyKey }) => ({ attempt, idempotencyKey })),
  ).toEqualTypeOf<{
    attempt: number
    idempotencyKey: string
  }>()
  expectTypeOf(await ctx.sleep('nap', 1_000)).toEqualTypeOf<void>()
  expectTypeOf(await ctx.sleep('until', new Date(0))).toEqualTypeOf<void>()
  expectTypeOf(await ctx.waitForSignal('any')).toEqualTypeOf<unknown>()
  expectTypeOf(await ctx.waitForSignal<{ by: string }>('named', { timeoutMs: 5 })).toEqualTypeOf<{
    by: string
  }>()
  expectTypeOf(await ctx.waitForSignal('checked', { schema: amount })).toEqualTypeOf<number>()
  expectTypeOf(await ctx.runTask(double, 1)).toEqualTypeOf<number>()
  expectTypeOf(await ctx.runTask(shout, 'a', { name: 'loud' })).toEqualTypeOf<string>()
  expectTypeOf(
    await ctx.runTasks([
      { task: double, input: 1 },
      { task: shout, input: 'a' },
    ]),
  ).toEqualTypeOf<[number, string]>()
  expectTypeOf(await ctx.compensate('undo', () => 1)).toEqualTypeOf<void>()
  expectTypeOf(await ctx.setState({ done: 1 })).toEqualTypeOf<void>()
  // @ts-expect-error A step needs a function.
  await ctx.step('none', 1)
  // @ts-expect-error A step needs a name.
  await ctx.step(() => 1)
  // @ts-expect-error A text is no time.
  await ctx.sleep('nap', '1 s')
  // @ts-expect-error The task takes a number.
  await ctx.runTask(double, 'a')
  // @ts-expect-error A child appears with its parent, not in a transaction of the user's.
  await ctx.runTask(double, 1, { transaction: {} })
}

test('the compiler knows what durable calls give', () => {
  expectTypeOf(code).returns.resolves.toEqualTypeOf<void>()
})
