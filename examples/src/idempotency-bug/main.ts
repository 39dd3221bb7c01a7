/** Finds a card that is charged twice: lets the process die everywhere, before the bug is mended and after. */

import { CrashDifferenceError, crashEverywhere } from 'durable-execution/testing'

import { createFakeShop } from './fake-shop.ts'
import { definePayment, definePaymentWithBug, type Order } from './tasks.ts'

const ORDER: Order = { number: 'A-17', amount: 30, card: '…4242' }

async function main(): Promise<void> {
  console.log('A task charges a card and then writes a receipt. What if its process dies on the way?\n')
  console.log('As it was first written, without an idempotency key:\n')
  console.log(`${await findBug()}\n`)
  console.log('With ctx.executionId as the key:\n')
  const report = await crashEverywhere(
    (executor, outside) => definePayment(executor, createFakeShop(outside)),
    ORDER,
  )
  const { tried, outcome } = report
  const effects = outcome.effects.map(({ name }) => name).join(', ')
  console.log(`The process died at ${tried.length} places, one after the other: ${tried[0]?.description},`)
  console.log(`then at the next, and so on. Each time it came to the same: ${outcome.status}; ${effects}.`)
}

async function findBug(): Promise<string> {
  try {
    await crashEverywhere(
      (executor, outside) => definePaymentWithBug(executor, createFakeShop(outside)),
      ORDER,
    )
  } catch (error) {
    if (error instanceof CrashDifferenceError) {
      return error.message
    }
    throw error
  }
  throw new Error('The bug was not found')
}

try {
  await main()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
