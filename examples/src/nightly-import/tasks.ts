/** The nightly import: the file is cut into chunks, each is a task of its own, and what they come to is summed up. */

import { type DurableExecutor, type DurableTask } from 'durable-execution'

import { type Books } from './books.ts'
import { type Chunk, findChunks, sumUp, type Totals } from './csv.ts'

export type Import = { path: string; chunks: number }

export function defineTasks(executor: DurableExecutor, books: Books): DurableTask<Import, Totals> {
  const importChunk = executor.task({
    id: 'import_chunk',
    timeoutMs: 60_000,
    retryOptions: { maxAttempts: 3, baseDelayMs: 100 },
    run: async (ctx, { path, from, to }: Chunk & { path: string }) => {
      const totals = await sumUp(path, { from, to })
      // The process may die right after this line, and the task be run again: the key keeps it from being booked twice.
      books.book(ctx.idempotencyKey, totals)
      return totals
    },
  })

  return executor.task({
    id: 'import_file',
    // For the stretches before and after the chunks: while they are at work, this task is not.
    timeoutMs: 60_000,
    run: async (ctx, { path, chunks }: Import): Promise<Totals> => {
      const found = await ctx.step('find chunks', async () => await findChunks(path, chunks))
      const totals = await ctx.runTasks(
        found.map((chunk) => ({ task: importChunk, input: { path, ...chunk } })),
      )
      return totals.reduce(
        (sum, { bookings, cents }) => ({ bookings: sum.bookings + bookings, cents: sum.cents + cents }),
        { bookings: 0, cents: 0 },
      )
    },
  })
}
