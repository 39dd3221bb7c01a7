/** The user's side of a shared transaction: a client on which that is open, and which takes statements until it ends. */

import { systemClock } from '../../base/clock.ts'
import { DurableExecutionError, DurableExecutionTimedOutError, messageOf } from '../../base/errors.ts'
import { transactionControlIn } from '../sql/transaction-control.ts'
import { isConflict } from './failures.ts'
import { type Transaction } from './transaction.ts'

/**
 * What the function of `ctx.transaction` writes through on Postgres: the `query` of a client of `pg`, on a connection on which the
 * transaction is open.
 *
 * @category Postgres
 */
export type PostgresTransactionClient = {
  /** Runs a statement with its values `$1`, `$2`, …, or what `pg` takes as an object with a `text`. One after the other, in the order of the calls. */
  query: <Row = Record<string, unknown>>(
    query: string | PostgresTransactionQuery,
    values?: ReadonlyArray<unknown>,
  ) => Promise<PostgresTransactionResult<Row>>
}

/**
 * A statement as an object; other members are passed on to `pg`, such as `name`, `rowMode` and `types`.
 *
 * @category Postgres
 */
export type PostgresTransactionQuery = { text: string; values?: ReadonlyArray<unknown> | undefined }

/**
 * What a statement answered.
 *
 * @category Postgres
 */
export type PostgresTransactionResult<Row = Record<string, unknown>> = {
  rows: Array<Row>
  /** How many rows it gave or changed. */
  rowCount: number | null
  command: string
}

export class SharedClient implements PostgresTransactionClient {
  readonly #transaction: Transaction
  readonly #idleLimitMs: number
  #last: Promise<unknown> = Promise.resolve()
  #isEnded = false
  #isDropped = false
  /** What the last statement failed with; after that Postgres takes nothing but a return to a savepoint. */
  #failed: { error: unknown } | undefined
  #idleSince = systemClock.monotonicNow()
  #longestIdleMs = 0

  /** `idleLimitMs`: how long the server lets the transaction be idle. */
  constructor(transaction: Transaction, idleLimitMs: number) {
    this.#transaction = transaction
    this.#idleLimitMs = idleLimitMs
  }

  // Not a method: it may be passed on by itself.
  readonly query: PostgresTransactionClient['query'] = async (given, values) => {
    const query = checkQuery(given, values)
    this.#assertOpen(this.#isEnded)
    const made = this.#last.then(async () => await this.#pass(query))
    this.#last = made.catch(() => {})
    return (await made) as never
  }

  /** Nothing more is taken. Waits for statements that nobody awaited; throws if one failed, though the function went on. */
  async end(): Promise<void> {
    this.#isEnded = true
    await this.#last
    this.#noteIdle()
    if (this.#failed !== undefined) {
      throw new DurableExecutionError(
        `A statement of the transaction failed, and its function went on: ${messageOf(this.#failed.error)}. ` +
          'Let the function fail with it, or return to a savepoint.',
        true,
        { cause: this.#failed.error },
      )
    }
  }

  /** Nothing more is taken, and what has not been sent never will be. */
  drop(): void {
    this.#noteIdle()
    this.#isEnded = true
    this.#isDropped = true
  }

  /** What a transaction that failed with this error rejects with: where the connection or others were in the way, that is no error of the user's. */
  rejectionOf(error: unknown, isConnectionWell: boolean): unknown {
    if (!isConnectionWell && this.#longestIdleMs >= this.#idleLimitMs) {
      return new DurableExecutionTimedOutError(
        `The function of the transaction sent nothing for ${Math.round(this.#longestIdleMs)} ms, and Postgres gave it up after ${this.#idleLimitMs} (statementTimeoutMs). ` +
          'Do what takes long before it, in a step.',
        true,
        { cause: error },
      )
    }
    const failed = this.#failed?.error
    return failed !== undefined && (!isConnectionWell || isConflict(failed))
      ? new Error(`The transaction was lost: ${messageOf(failed)}`, { cause: failed })
      : error
  }

  async #pass(query: object): Promise<unknown> {
    this.#assertOpen(this.#isDropped)
    this.#noteIdle()
    try {
      const answer = await this.#transaction.pass(query)
      this.#failed = undefined
      return answer
    } catch (error) {
      this.#failed = { error }
      throw error
    } finally {
      this.#idleSince = systemClock.monotonicNow()
    }
  }

  #noteIdle(): void {
    if (!this.#isDropped) {
      this.#longestIdleMs = Math.max(this.#longestIdleMs, systemClock.monotonicNow() - this.#idleSince)
    }
  }

  #assertOpen(isOver: boolean): void {
    if (isOver) {
      throw new DurableExecutionError('The transaction has ended. Use `tx` only inside its function', false)
    }
  }
}

function checkQuery(given: unknown, values: ReadonlyArray<unknown> | undefined): PostgresTransactionQuery {
  const query = typeof given === 'string' ? { text: given } : given
  if (
    typeof query !== 'object' ||
    query === null ||
    !('text' in query) ||
    typeof query.text !== 'string' ||
    'submit' in query
  ) {
    throw new DurableExecutionError(
      'Invalid query of ctx.transaction: give a text, or an object with a `text`; cursors and streams are not possible',
      false,
    )
  }
  const control = transactionControlIn(query.text)
  if (control !== undefined) {
    throw new DurableExecutionError(
      `ctx.transaction begins and ends its transaction itself: leave out ${JSON.stringify(control)}. ` +
        'Throw an error to undo all of it; use savepoints to undo a part.',
      false,
    )
  }
  return values === undefined ? { ...query, text: query.text } : { ...query, text: query.text, values }
}
