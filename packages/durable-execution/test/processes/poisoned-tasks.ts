/** Tasks that live in one process, of which one kills it. */

import { type DurableExecutor, type DurableTask } from '../../src/index.ts'

/** What the tasks do to the world outside. */
export type PoisonedOutside = {
  pause: (ms: number) => Promise<void>
  /** Ends the process, at once and without a word. */
  die: () => void
}

/** The tasks: one that ends its process after a while, and one that takes a while and is harmless. */
export type PoisonedTasks = {
  poison: DurableTask<{ afterMs: number }, string>
  neighbour: DurableTask<{ runMs: number }, string>
}

/** Defines them. Each has the losses that every task has unless it says otherwise. */
export function definePoisoned(executor: DurableExecutor, { pause, die }: PoisonedOutside): PoisonedTasks {
  return {
    poison: executor.task({
      id: 'poison',
      timeoutMs: 60_000,
      // Retries are not losses: they must not keep it alive.
      retryOptions: { maxAttempts: 10 },
      run: async (_ctx, { afterMs }: { afterMs: number }) => {
        await pause(afterMs)
        die()
        return 'never'
      },
    }),
    neighbour: executor.task({
      id: 'neighbour',
      timeoutMs: 60_000,
      run: async (_ctx, { runMs }: { runMs: number }) => {
        await pause(runMs)
        return 'done'
      },
    }),
  }
}
