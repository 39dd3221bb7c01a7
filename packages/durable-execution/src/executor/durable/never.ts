/** What a call gets that gets no answer. */

import { type Clock } from '../../base/clock.ts'
import { DurableExecutionError } from '../../base/errors.ts'
import { handledLater } from '../../base/promise.ts'

/** A promise of its own that never settles: one for all would keep whatever waits for it. */
export function never<T>(): Promise<T> {
  return new Promise(() => {})
}

/** What a refused call gets: in a turn of its own, so that code that tries again at once whatever happens leaves room for others. */
export function rejectedSoon<T>(
  error: DurableExecutionError,
  clock: Pick<Clock, 'setImmediate'>,
): Promise<T> {
  return handledLater(
    new Promise((_, reject) => {
      clock.setImmediate(() => reject(error))
    }),
  )
}

/** What is refused since the function has returned or thrown. */
export function calledTooLate(what: string): DurableExecutionError {
  return new DurableExecutionError(
    `ctx.${what} was called after the run had ended. Await every call before the function of the task returns.`,
    false,
  )
}
