/** An order: it is paid, its goods are laid aside, its buyer is told. What cannot be done to the end is undone. */

import {
  type DurableExecutor,
  type DurableStepContext,
  type DurableStepOptions,
  type DurableTask,
} from 'durable-execution'

import { post } from '../show/post.ts'

export type Order = { id: string; item: string; cents: number; card: string; email: string }
export type Receipt = { payment: string; parcel: string }

// A service that has no time now is asked again; one that refuses is not.
const TRIES: DurableStepOptions = {
  retryOptions: { maxAttempts: 8, baseDelayMs: 20, delayMultiplier: 2 },
  timeoutMs: 10_000,
}

export function defineTasks(executor: DurableExecutor, services: string): DurableTask<Order, Receipt> {
  return executor.task({
    id: 'place_order',
    timeoutMs: 60_000,
    run: async (ctx, { id, item, cents, card, email }: Order) => {
      const ask =
        <TAnswer>(service: string, about: object = {}) =>
        async (step: DurableStepContext): Promise<TAnswer> =>
          await post<TAnswer>(`${services}/${service}`, { order: id, ...about }, step)

      // Before the step itself: the process may die, or the order be cancelled, while the card is being charged.
      await ctx.compensate('refund', ask('refund'), TRIES)
      const { payment } = await ctx.step('charge', ask<{ payment: string }>('charge', { cents, card }), TRIES)

      await ctx.compensate('put back', ask('put_back'), TRIES)
      const { parcel } = await ctx.step('reserve', ask<{ parcel: string }>('reserve', { item }), TRIES)

      await ctx.step('mail', ask('mail', { to: email }), TRIES)
      return { payment, parcel }
    },
  })
}
