/** The tasks: a mailing, the letters it consists of, and the count at its end. */

import { setTimeout as pause } from 'node:timers/promises'

import { type DurableExecutor, type DurableTask } from 'durable-execution'

import { type PostOffice } from './post-office.ts'

export type Mailing = { letters: number; paceMs: number }
type Letter = { letter: number; paceMs: number }

/** How many letters there were, and how many each worker sent. */
export type MailingResult = { letters: number; sentBy: Record<string, number> }

/** Where these tasks run: in which worker, and what they have to do with. */
export type Surroundings = { worker: string; office: PostOffice }

/**
 * Defines the tasks on an executor. Every process does so: the producer to enqueue them, the workers to run
 * them. What is enqueued names the task by its id, and whoever knows that id may run it.
 */
export function defineTasks(
  executor: DurableExecutor,
  { worker, office }: Surroundings,
): DurableTask<Mailing, MailingResult> {
  const sendLetter = executor.task({
    id: 'send_letter',
    timeoutMs: 30_000,
    retryOptions: { maxAttempts: 3, baseDelayMs: 200 },
    run: async (_ctx, { letter, paceMs }: Letter) => {
      await office.noteStart(letter, worker)
      await pause(paceMs)
      // A run may be repeated when a process dies, so it must not matter if it is: the post office takes each
      // letter once, whoever brings it.
      await office.send(letter, worker)
      return worker
    },
  })

  return executor.parentTask({
    id: 'send_mailing',
    timeoutMs: 30_000,
    runParent: (_ctx, { letters, paceMs }: Mailing) => ({
      output: letters,
      childrenTasks: Array.from({ length: letters }, (_, letter) => ({
        task: sendLetter,
        input: { letter, paceMs },
      })),
    }),
    // Runs once, when all letters are sent, on whichever worker is free.
    finalizeTask: {
      id: 'count_letters',
      timeoutMs: 30_000,
      run: (_ctx, { childrenTasksOutputs }): MailingResult => {
        const sentBy: Record<string, number> = {}
        for (const { output } of childrenTasksOutputs) {
          sentBy[output as string] = (sentBy[output as string] ?? 0) + 1
        }
        return { letters: childrenTasksOutputs.length, sentBy }
      },
    },
  })
}
