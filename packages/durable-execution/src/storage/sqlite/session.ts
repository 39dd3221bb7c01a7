/** Runs a function in a transaction, and sees to it that what it did is kept whole or not at all. */

import { DurableExecutionError } from '../../base/errors.ts'
import { type DurableStorageTx } from '../contract.ts'
import { assertNoForeignTransaction, retryWhileBusy } from './busy.ts'
import { type SqliteDriver } from './driver.ts'
import { isOneStatement, READS, type SqliteOperations } from './operations.ts'
import { begin, commit, rollback, runInTransaction } from './transaction.ts'
import { type TurnShare } from './turn.ts'

/** A handle and what can be done on it. */
export type SqliteHandle = { readonly driver: SqliteDriver; readonly operations: SqliteOperations }

/** The handle of a storage. */
export type SqliteConnection = SqliteHandle & {
  readonly turn: TurnShare
  /** Whether nobody else makes statements on it. */
  readonly isOwn: boolean
}

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
 * Runs `fn`, which makes one call. The call is whole, or has failed, when its promise settles: nothing is awaited between its
 * begin and its commit, so no code of the user's can find the database locked by its own process.
 */
export async function runOneCall<T>(connection: SqliteConnection, fn: Fn<T>): Promise<T> {
  const call = new SingleCall(connection)
  try {
    const result = await fn(wrapOperations(connection.operations, call))
    if (call.underWay !== undefined) {
      // One that nobody awaited is part of the transaction all the same, and what it fails with fails that.
      await call.underWay
    }
    call.session.end()
    return result
  } catch (error) {
    call.session.abandon()
    await Promise.allSettled([call.underWay])
    throw error
  }
}

/** The operations on a connection whose transaction is somebody else's to begin and to end. */
export function unguardedTx({ operations }: SqliteHandle): DurableStorageTx {
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
  /** The call, while it is being made. */
  underWay: Promise<unknown> | undefined
  readonly #connection: SqliteConnection
  #isMade = false

  constructor(connection: SqliteConnection) {
    this.#connection = connection
  }

  make(name: keyof SqliteOperations, operation: Operation, given: Array<unknown>): unknown {
    this.session.assertUsable()
    if (this.#isMade) {
      throw new DurableExecutionError('A transaction with the hint `oneCall` makes one call only', false)
    }
    this.#isMade = true
    this.underWay = this.#answer(name, operation, given)
    return this.underWay
  }

  async #answer(name: keyof SqliteOperations, operation: Operation, given: Array<unknown>): Promise<unknown> {
    const { driver, turn } = this.#connection
    const work = (): unknown => operation(...given)
    try {
      if (!turn.isLeft) {
        await turn.next()
      }
      return await (this.#isAlone(name, given) ? runAlone(driver, work) : runInTransaction(driver, work))
    } catch (error) {
      if (!(error instanceof DurableExecutionError)) {
        this.session.breakBy(error)
      }
      throw error
    } finally {
      // What it gave is not kept here.
      this.underWay = undefined
    }
  }

  #isAlone(name: keyof SqliteOperations, given: Array<unknown>): boolean {
    // One statement that reads sees one state of the database, and need not wait for those who write. One that writes would be committed
    // only when a statement of the user's that writes, and gives its rows one by one, has ended; a COMMIT refuses that.
    return READS.has(name) || (this.#connection.isOwn && isOneStatement(name, given))
  }
}

/** Statements that are whole by themselves, each as one. */
async function runAlone<T>(driver: SqliteDriver, work: () => T): Promise<T> {
  return await retryWhileBusy(driver, () => {
    assertNoForeignTransaction(driver)
    return work()
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
