/** Whether code runs inside the function of a transaction: what it awaits there keeps the transaction open. */

import { AsyncLocalStorage } from 'node:async_hooks'

import { DurableExecutionError } from '../../base/errors.ts'

/** The function of one transaction, of one run. Emptied when it has ended, since what it began may live on. */
type Inside = { run?: object; name: string }

const inside = new AsyncLocalStorage<Inside>()

/** Calls the function of a transaction, and knows its code while it is at work. */
export async function insideTransaction<T>(run: object, name: string, fn: () => Promise<T>): Promise<T> {
  const here: Inside = { run, name }
  try {
    return await inside.run(here, fn)
  } finally {
    delete here.run
  }
}

/**
 * The error of a call that comes from inside the function of a transaction of that very run; undefined elsewhere. It would wait for a
 * write, where one can write at a time, that waits for the transaction; and for a turn or a connection that may never come.
 */
export function calledInside(run: object, what: string): DurableExecutionError | undefined {
  const here = inside.getStore()
  return here?.run === run
    ? new DurableExecutionError(
        `ctx.${what} was called inside the function of transaction ${here.name}, which is no place for it. Call it before or after the transaction.`,
        false,
      )
    : undefined
}
