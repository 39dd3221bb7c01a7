/** Runs a function in a transaction, and sees to it that what it did is kept whole or not at all. */

import { sleep, systemClock } from '../../base/clock.ts'
import { DurableExecutionError } from '../../base/errors.ts'
import { systemRandom } from '../../base/random.ts'
import { type DurableStorageTx } from '../contract.ts'
import { isConflict, preparedFailure } from './failures.ts'
import { type StatementNames } from './names.ts'
import { type PostgresOperations } from './operations.ts'
import { type Place, type Statements, Transaction } from './transaction.ts'

/** A call on a transaction, ready to be made. */
export type Call<T = unknown> = (statements: Statements) => Promise<T>

type Prepare = (...given: Array<unknown>) => Call

type Fn<T> = (tx: DurableStorageTx) => Promise<T>

// A single call that met another transaction is made again so often, after a pause that grows.
const CALL_TRIES = 10
const PAUSE_MS = 2

// Prepared anew a statement fits, so what still fails then has another reason.
const HEALS = 2

/** Runs `fn` between BEGIN, which waits for the first statement, and COMMIT. */
export async function runTransaction<T>(place: Place, fn: Fn<T>): Promise<T> {
  const transaction = new Transaction(place)
  const session = new Session()
  let result: T
  try {
    result = await fn(
      wrapOperations(place.operations, (call) =>
        session.run(async () => {
          await transaction.together()
          return await call(transaction)
        }),
      ),
    )
    await session.end()
  } catch (error) {
    session.abandon()
    await session.settled()
    await transaction.rollback(session.broken()?.error)
    throw error
  }
  await transaction.commit()
  return result
}

/**
 * Runs `fn`, which makes one call: most calls are one statement, which needs no transaction around it. The
 * call is whole, or has failed, when its promise settles; one that met another transaction is repeated.
 */
export async function runOneCall<T>(place: Place, fn: Fn<T>): Promise<T> {
  const single = new SingleCall(place)
  try {
    const answer = await fn(wrapOperations(place.operations, (call) => single.make(call)))
    const underWay = single.end()
    if (underWay !== undefined) {
      // One that nobody awaited is part of it all the same, and what it fails with fails that.
      await underWay
    }
    return answer
  } catch (error) {
    await Promise.allSettled([single.end()])
    throw error
  }
}

/** The one call of a transaction that makes no more. */
class SingleCall {
  readonly #place: Place
  #isMade = false
  #isOver = false
  #underWay: Promise<unknown> | undefined

  constructor(place: Place) {
    this.#place = place
  }

  make(call: Call): Promise<unknown> {
    if (this.#isOver) {
      throw new DurableExecutionError('The transaction has ended. Use `tx` only inside its function', false)
    }
    if (this.#isMade) {
      throw new DurableExecutionError('A transaction with the hint `oneCall` makes one call only', false)
    }
    this.#isMade = true
    this.#underWay = this.#answer(call)
    return this.#underWay
  }

  async #answer(call: Call): Promise<unknown> {
    const place = this.#place
    try {
      for (let tries = 1; ; tries += 1) {
        // Only here do statements have names: one that turns out to be outdated ends its transaction, and nothing but
        // a call that stands alone can be made again.
        const transaction = new Transaction(place, place.names)
        try {
          if (place.scope === 'transaction') {
            await transaction.together()
          }
          const answer = await call(transaction)
          const committing = transaction.commit()
          if (committing !== undefined) {
            await committing
          }
          return answer
        } catch (error) {
          await transaction.rollback(error)
          if (tries === CALL_TRIES || !mayBeRepeated(place, error, tries)) {
            throw error
          }
        }
        await sleep(systemClock, systemRandom() * PAUSE_MS * 2 ** tries)
      }
    } finally {
      // What it gave is not kept here.
      this.#underWay = undefined
    }
  }

  /** Takes no call any more; gives the one that is under way. */
  end(): Promise<unknown> | undefined {
    this.#isOver = true
    return this.#underWay
  }
}

function mayBeRepeated({ names }: Place, error: unknown, tries: number): boolean {
  return isConflict(error) || (names !== undefined && tries <= HEALS && isHealed(names, error))
}

/** Whether the error was about a statement that was prepared before; if so, the next one is prepared anew. */
function isHealed(names: StatementNames, error: unknown): boolean {
  switch (preparedFailure(error)) {
    case 'outdated':
      names.renew()
      return true
    case 'elsewhere':
      names.giveUp()
      return true
    case undefined:
      return false
  }
}

/** Whether a transaction may still be used, and what broke it. Its calls are made one after the other. */
export class Session {
  #isEnded = false
  #broken: { error: unknown } | undefined
  #last: Promise<unknown> = Promise.resolve()

  assertUsable(): void {
    if (this.#isEnded) {
      throw new DurableExecutionError('The transaction has ended. Use `tx` only inside its function', false)
    }
    this.#assertWhole()
  }

  run<R>(call: () => Promise<R>): Promise<R> {
    this.assertUsable()
    const made = this.#last.then(async () => {
      this.#assertWhole()
      try {
        return await call()
      } catch (error) {
        // After an error Postgres takes nothing but a rollback.
        this.#broken ??= { error }
        throw error
      }
    })
    this.#last = made.catch(() => {})
    return made
  }

  /** Waits for calls that nobody awaited; throws what broke it, even if the function went on as if nothing had happened. */
  async end(): Promise<void> {
    this.#isEnded = true
    await this.settled()
    this.#assertWhole()
  }

  async settled(): Promise<void> {
    let awaited: Promise<unknown> | undefined
    while (awaited !== this.#last) {
      awaited = this.#last
      await awaited
    }
  }

  abandon(): void {
    this.#isEnded = true
  }

  broken(): { error: unknown } | undefined {
    return this.#broken
  }

  #assertWhole(): void {
    if (this.#broken !== undefined) {
      throw this.#broken.error
    }
  }
}

/**
 * The operations as a transaction has them. What is given is read at once, before the caller can change it; only then does the
 * call take its turn.
 */
export function wrapOperations(
  operations: PostgresOperations,
  invoke: (call: Call) => unknown,
): DurableStorageTx {
  const tx: Record<string, unknown> = {}
  for (const [name, operation] of Object.entries(operations)) {
    tx[name] = callOf(operation as Prepare, invoke)
  }
  return tx as DurableStorageTx
}

// Returned, and not assigned where it is written: V8 makes such a function in the old generation, where it would keep the
// rows of a batch until the next full collection.
function callOf(prepare: Prepare, invoke: (call: Call) => unknown): (...given: Array<unknown>) => unknown {
  return (...given) => {
    try {
      return invoke(prepare(...given))
    } catch (error) {
      return Promise.reject(error)
    }
  }
}
