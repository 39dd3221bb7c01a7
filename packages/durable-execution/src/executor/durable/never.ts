/** What a call gets that gets no answer. */

import { DurableExecutionError } from '../../base/errors.ts'

/** A promise of its own that never settles: one for all would keep whatever waits for it. */
export function never<T>(): Promise<T> {
  return new Promise(() => {})
}

/** What is refused since the function has returned or thrown. */
export function calledTooLate(what: string): DurableExecutionError {
  return new DurableExecutionError(
    `ctx.${what} was called after the run had ended. Await every call before the function of the task returns.`,
    false,
  )
}
