/** The program under test: a task that charges a card and then writes a receipt. It knows nothing of tests. */

import { type DurableExecutor, type DurableTask } from 'durable-execution'

export type Order = { number: string; amount: number; card: string }

/** What the task does to the world outside. */
export type Shop = {
  /** Charges a card. Two calls with one idempotency key charge it once; without a key each call does. */
  charge: (charge: { card: string; amount: number }, idempotencyKey?: string) => Promise<void>
  /** Writes the receipt of an order, over the one that is there. */
  writeReceipt: (receipt: { order: string; text: string }) => Promise<void>
}

/** As it was first written. If the process dies between the two calls, the next one begins with the first again. */
export function definePaymentWithBug(executor: DurableExecutor, shop: Shop): DurableTask<Order, string> {
  return executor.task({
    id: 'pay_order',
    timeoutMs: 60_000,
    run: async (_ctx, { number, amount, card }: Order) => {
      await shop.charge({ card, amount })
      await shop.writeReceipt({ order: number, text: `Paid: ${amount} EUR` })
      return `${number} is paid`
    },
  })
}

/** The same, mended: all runs of one execution have one key, so the card is charged once whatever happens. */
export function definePayment(executor: DurableExecutor, shop: Shop): DurableTask<Order, string> {
  return executor.task({
    id: 'pay_order',
    timeoutMs: 60_000,
    run: async (ctx, { number, amount, card }: Order) => {
      await shop.charge({ card, amount }, ctx.executionId)
      await shop.writeReceipt({ order: number, text: `Paid: ${amount} EUR` })
      return `${number} is paid`
    },
  })
}
