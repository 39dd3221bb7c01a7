/** Durable code: an order whose steps have effects, which leave a line in the ledger; and what must come of it. */

import { DurableExecutionError, type DurableExecutor, type DurableTask } from '../../../src/index.ts'
import { type DurableStepContext } from '../../../src/task/durable-context.ts'
import { type Outside } from './noted.ts'

/** Its task. */
export const ORDER = 'order'

/** The signal that it waits for. */
export const PAID = 'paid'

/** The steps of one that is completed. */
export const ORDER_STEPS = ['reserve', 'charge', 'ship'] as const

/** What it registers to be undone. */
export const ORDER_UNDOS = ['release', 'refund'] as const

const TIMEOUT_MS = 120_000
const LARGEST_TOKEN = 1_000_000

/** What becomes of an order that nobody cancels: every fourth is refused. */
export function isRefused(input: number): boolean {
  return input % 4 === 3
}

/**
 * Defines it. `reserve` draws another token each time that it is done; those after it are given the one that was remembered, and
 * so must have the same effect whoever runs them, and however often.
 */
export function defineOrder(
  executor: DurableExecutor,
  { note, pause }: Outside,
): DurableTask<number, number> {
  const effect = ({ idempotencyKey }: DurableStepContext, value: number): number => {
    note({ what: 'effect', executionId: idempotencyKey, attempt: value, taskId: ORDER })
    return value
  }
  return executor.task({
    id: ORDER,
    timeoutMs: TIMEOUT_MS,
    run: async (ctx, input: number) => {
      await ctx.compensate('release', (step) => effect(step, 0))
      const token = await ctx.step('reserve', async (step) => {
        await pause(input % 20)
        return effect(step, Math.floor(Math.random() * LARGEST_TOKEN))
      })
      // Those of a second or less are waited for in place, the others are left.
      await ctx.sleep('rest', 200 + (input % 5) * 300)
      await ctx.waitForSignal(PAID)
      await ctx.compensate('refund', (step) => {
        effect(step, token)
        if (step.attempt === 0 && input % 8 === 3) {
          throw new Error('The first try of some fails')
        }
      })
      await ctx.step(
        'charge',
        (step) => {
          effect(step, token)
          if (step.attempt === 0 && input % 5 === 0) {
            throw new Error('The first try of every fifth fails')
          }
        },
        { retryOptions: { maxAttempts: 2, baseDelayMs: 300 } },
      )
      const child = (id: string, given: number): { task: DurableTask<number, number>; input: number } => ({
        task: { id },
        input: given,
      })
      const [first, second] = await ctx.runTasks([child('leaf', input), child('plain', input + 1)])
      if (isRefused(input)) {
        throw new DurableExecutionError('This order is refused', false)
      }
      await ctx.step('ship', (step) => effect(step, token))
      return first + second
    },
  })
}
