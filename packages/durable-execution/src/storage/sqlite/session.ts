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
  const session = new Session()
  await begin(driver)
  let result: T
  try {
    result = await fn(wrapOperations(operations, session))
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
  const call = new SingleCall(driver)
  let result: T
  try {
    result = await resultOf(fn, wrapOperations(operations, call), call)
    call.session.end()
  } catch (error) {
    call.session.abandon()
    if (call.hasBegun) {
      rollback(driver)
    }
    throw error
  }
  if (call.hasBegun) {
    await commit(driver)
  }
  return result
}

// A call that nobody awaited is part of the transaction all the same.
async function resultOf<T>(fn: Fn<T>, tx: DurableStorageTx, call: SingleCall): Promise<T> {
  try {
    return await fn(tx)
  } finally {
    await call.settled()
  }
}

/** The operations on a connection whose transaction is somebody else's to begin and to end. */
export function unguardedTx({ operations }: SqliteConnection): DurableStorageTx {
  return wrapOperations(operations, UNGUARDED)
}

type Operation = (...given: Array<unknown>) => unknown

/** Makes the calls of a transaction. */
type Caller = {
  make: (name: keyof SqliteOperations, operation: Operation, given: Array<unknown>) => unknown
}

const UNGUARDED: Caller = { make: (_, operation, given) => operation(...given) }

/** Whether a transaction may still be used, and what broke it. */
export class Session implements Caller {
  #isEnded = false
  #broken: { error: unknown } | undefined

  assertUsable(): void {
    if (this.#isEnded) {
      throw new DurableExecutionError('The transaction has ended. Use `tx` only inside its function', false)
    }
    this.#assertWhole()
  }

  /** Makes one call. An error of the driver breaks the transaction: parts of the call may have been done. */
  make(_name: keyof SqliteOperations, operation: Operation, given: Array<unknown>): unknown {
    this.assertUsable()
    try {
      return operation(...given)
    } catch (error) {
      // A refusal of ours leaves nothing of the call behind, so the transaction may go on. After any other
      // error SQLite may even have ended it, and each further call would be committed by itself.
      if (!(error instanceof DurableExecutionError)) {
        this.breakBy(error)
      }
      throw error
    }
  }

  /** Nothing of it is to be kept, for that reason. */
  breakBy(error: unknown): void {
    this.#broken ??= { error }
  }

  /** Ends it; throws what broke it, even if the function went on as if nothing had happened. */
  end(): void {
    this.abandon()
    this.#assertWhole()
  }

  abandon(): void {
    this.#isEnded = true
  }

  #assertWhole(): void {
    if (this.#broken !== undefined) {
      throw this.#broken.error
    }
  }
}

/** The one call of a transaction that makes no more. */
class SingleCall implements Caller {
  readonly session = new Session()
  hasBegun = false
  readonly #driver: SqliteDriver
  #isMade = false
  #answer: Promise<unknown> | undefined

  constructor(driver: SqliteDriver) {
    this.#driver = driver
  }

  make(name: keyof SqliteOperations, operation: Operation, given: Array<unknown>): unknown {
    this.session.assertUsable()
    if (this.#isMade) {
      throw new DurableExecutionError('A transaction with the hint `oneCall` makes one call only', false)
    }
    this.#isMade = true
    this.#answer = READS.has(name)
      ? readAlone(this.#driver, operation, given)
      : this.#write(name, operation, given)
    return this.#answer
  }

  async #write(name: keyof SqliteOperations, operation: Operation, given: Array<unknown>): Promise<unknown> {
    try {
      await begin(this.#driver)
    } catch (error) {
      this.session.breakBy(error)
      throw error
    }
    this.hasBegun = true
    return this.session.make(name, operation, given)
  }

  /** Resolves when the call has ended, and lets go of what it gave. */
  async settled(): Promise<void> {
    if (!this.#isMade) {
      // What comes now comes too late: it would begin a transaction that nobody ends.
      this.session.abandon()
    }
    const answer = this.#answer
    this.#answer = undefined
    await Promise.allSettled([answer])
  }
}

async function readAlone(
  driver: SqliteDriver,
  operation: Operation,
  given: Array<unknown>,
): Promise<unknown> {
  return await retryWhileBusy(driver, () => {
    assertNoForeignTransaction(driver)
    return operation(...given)
  })
}

/** The operations as a transaction has them, each made by the caller. */
export function wrapOperations(operations: SqliteOperations, caller: Caller): DurableStorageTx {
  const tx: Record<string, unknown> = {}
  for (const [name, operation] of Object.entries(operations)) {
    tx[name] = callOf(name as keyof SqliteOperations, operation as Operation, caller)
  }
  return tx as DurableStorageTx
}

// Returned, and not assigned where it is written: V8 makes such a function in the old generation, where it would keep the
// rows of a batch until the next full collection.
function callOf(name: keyof SqliteOperations, operation: Operation, caller: Caller): Operation {
  return (...given) => caller.make(name, operation, given)
}
