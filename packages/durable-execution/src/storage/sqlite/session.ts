/** Runs a function in a transaction, and sees to it that what it did is kept whole or not at all. */

import { DurableExecutionError } from '../../base/errors.ts'
import { type DurableStorageTx } from '../contract.ts'
import { assertNoForeignTransaction, retryWhileBusy } from './busy.ts'
import { type SqliteDriver } from './driver.ts'
import { READS, type SqliteOperations } from './operations.ts'
import { begin, commit, rollback } from './transaction.ts'

/** A connection and what can be done on it. */
export type SqliteConnection = { readonly driver: SqliteDriver; readonly operations: SqliteOperations }

type Fn<T> = (tx: DurableStorageTx) => Promise<T>

/** Runs `fn` between BEGIN IMMEDIATE and COMMIT. */
export async function runTransaction<T>({ driver, operations }: SqliteConnection, fn: Fn<T>): Promise<T> {
  const session = createSession()
  await begin(driver)
  let result: T
  try {
    result = await fn(wrapOperations(operations, (_, call) => session.run(call)))
    session.end()
  } catch (error) {
    session.abandon()
    rollback(driver)
    throw error
  }
  await commit(driver)
  return result
}

/**
 * Runs `fn`, which makes one call: a read without a transaction, since one statement sees one state of
 * the database and need not wait for those who write; anything else in a transaction from there on.
 */
export async function runOneCall<T>({ driver, operations }: SqliteConnection, fn: Fn<T>): Promise<T> {
  const session = createSession()
  let hasBegun = false
  let made: Promise<unknown> | undefined
  const makeCall = async (name: keyof SqliteOperations, call: () => unknown): Promise<unknown> => {
    if (READS.has(name)) {
      return await retryWhileBusy(driver, () => {
        assertNoForeignTransaction(driver)
        return call()
      })
    }
    await begin(driver)
    hasBegun = true
    return session.run(call)
  }
  const tx = wrapOperations(operations, (name, call) => {
    session.assertUsable()
    if (made !== undefined) {
      throw new DurableExecutionError('A transaction with the hint `oneCall` makes one call only', false)
    }
    made = makeCall(name, call)
    return made
  })
  let result: T
  try {
    result = await fn(tx).finally(() => settled(made))
    session.end()
  } catch (error) {
    session.abandon()
    if (hasBegun) {
      rollback(driver)
    }
    throw error
  }
  // Set while `fn` ran, which the compiler does not see.
  if (hasBegun as boolean) {
    await commit(driver)
  }
  return result
}

/** The operations on a connection whose transaction is somebody else's to begin and to end. */
export function unguardedTx({ operations }: SqliteConnection): DurableStorageTx {
  return wrapOperations(operations, (_, call) => call())
}

/** Whether a transaction may still be used, and what broke it. */
export type Session = {
  assertUsable: () => void
  /** Makes one call. An error of the driver breaks the transaction: parts of the call may have been done. */
  run: <R>(call: () => R) => R
  /** Ends it; throws what broke it, even if the function went on as if nothing had happened. */
  end: () => void
  abandon: () => void
}

/** The state of a transaction that has begun. */
export function createSession(): Session {
  let isEnded = false
  let broken: { error: unknown } | undefined
  const assertWhole = (): void => {
    if (broken !== undefined) {
      throw broken.error
    }
  }
  const assertUsable = (): void => {
    if (isEnded) {
      throw new DurableExecutionError('The transaction has ended. Use `tx` only inside its function', false)
    }
    assertWhole()
  }
  const run = <R>(call: () => R): R => {
    assertUsable()
    try {
      return call()
    } catch (error) {
      // A refusal of ours leaves nothing of the call behind, so the transaction may go on. After any other
      // error SQLite may even have ended it, and each further call would be committed by itself.
      if (!(error instanceof DurableExecutionError)) {
        broken = { error }
      }
      throw error
    }
  }
  const abandon = (): void => {
    isEnded = true
  }
  return {
    assertUsable,
    run,
    abandon,
    end: () => {
      abandon()
      assertWhole()
    },
  }
}

/** The operations as a transaction has them, each made by `invoke`. */
export function wrapOperations(
  operations: SqliteOperations,
  invoke: (name: keyof SqliteOperations, call: () => unknown) => unknown,
): DurableStorageTx {
  const tx: Record<string, unknown> = {}
  for (const [name, operation] of Object.entries(operations)) {
    const perform = operation as (...given: Array<unknown>) => unknown
    tx[name] = (...given: Array<unknown>) => invoke(name as keyof SqliteOperations, () => perform(...given))
  }
  return tx as DurableStorageTx
}

// A call that nobody awaited is part of the transaction all the same.
async function settled(call: Promise<unknown> | undefined): Promise<void> {
  await Promise.allSettled([call])
}
