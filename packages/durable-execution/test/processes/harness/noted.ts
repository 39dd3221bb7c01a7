/** A task's function with its start and its end in the ledger. */

import { type DurableTaskRunContext } from '../../../src/task/context.ts'
import { type Note } from './ledger.ts'

/** What tasks do to the world outside. */
export type Outside = {
  note: Note
  /** Resolves after the time, or rejects when the signal is aborted. */
  pause: (ms: number, signal?: AbortSignal) => Promise<unknown>
}

export type Run = (ctx: DurableTaskRunContext, input: number) => number | Promise<number>

/** The function, noted. */
export function noted(
  { note }: Outside,
  taskId: string,
  run: Run,
): (ctx: DurableTaskRunContext, input: number) => Promise<number> {
  return async (ctx, input) => {
    const { executionId, attempt } = ctx
    note({ what: 'start', executionId, attempt, taskId })
    try {
      const output = await run(ctx, input)
      note({ what: 'end', executionId, attempt, taskId })
      return output
    } catch (error) {
      note({ what: ctx.cancelSignal.isCancelled() ? 'stopped' : 'fail', executionId, attempt, taskId })
      throw error
    }
  }
}
