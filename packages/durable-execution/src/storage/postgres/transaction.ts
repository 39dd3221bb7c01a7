/** A connection that is taken when the first statement comes, with or without a transaction on it. */

import { endsWithin, systemClock } from '../../base/clock.ts'
import { DurableExecutionError } from '../../base/errors.ts'
import { type MaybePromise } from '../../base/promise.ts'
import { type Connections, type Loan } from './connections.ts'
import { type Answer, type Given } from './driver.ts'
import { type StatementNames } from './names.ts'
import { type PostgresOperations } from './operations.ts'
import { beginText, type SettingsScope } from './settings.ts'

/** Where transactions are run. */
export type Place = {
  readonly connections: Connections
  readonly operations: PostgresOperations
  readonly scope: SettingsScope
  readonly statementTimeoutMs: number
  /** Names for the statements of single calls; undefined where they must go without. */
  readonly names: StatementNames | undefined
}

/** The statements of one transaction, or one statement alone. */
export type Statements = {
  run: (text: string, values: Array<Given>) => Promise<Answer['rows']>
  /** Says that more than one statement will come, which are kept all or none. */
  together: () => Promise<void>
  /** The ids of rows that this transaction has locked and that say of themselves what is true; none where there is no transaction. */
  readonly known: Set<string>
}

// A connection that does not even answer a rollback is given up after this time.
const ROLLBACK_MS = 5_000

export class Transaction implements Statements {
  readonly known: Set<string> = new Set()
  readonly #place: Place
  readonly #names: StatementNames | undefined
  #loan: Loan | undefined
  #hasBegun = false

  constructor(place: Place, names?: StatementNames) {
    this.#place = place
    this.#names = names
  }

  async run(text: string, values: Array<Given>): Promise<Answer['rows']> {
    const lent = this.#lend()
    const loan = lent instanceof Promise ? await lent : lent
    return (await loan.ask(text, values, this.#names?.of(text))).rows
  }

  async together(): Promise<void> {
    if (!this.#hasBegun) {
      await this.begin(beginText(this.#place.scope, this.#place.statementTimeoutMs))
    }
  }

  /** Begins with these statements. */
  async begin(text: string): Promise<void> {
    const loan = await this.#lend()
    // Set before it is known: a rollback without a transaction does no harm.
    this.#hasBegun = true
    await loan.ask(text)
  }

  /** Runs a statement of the user's; gives what the driver answers. */
  async pass(query: object): Promise<unknown> {
    const loan = await this.#lend()
    return await loan.pass(query)
  }

  /** A promise where there is something to commit; statements that stood alone are. */
  commit(): MaybePromise<void> {
    if (this.#loan !== undefined && this.#hasBegun) {
      return this.#commit(this.#loan)
    }
    this.#end()
  }

  async #commit(loan: Loan): Promise<void> {
    try {
      const { command } = await loan.ask('commit')
      if (command !== 'COMMIT') {
        // That is how Postgres answers when a statement had failed.
        throw new DurableExecutionError(
          'The transaction could not be committed: one of its statements failed',
        )
      }
    } catch (error) {
      this.#end(error instanceof DurableExecutionError ? undefined : error)
      throw error
    }
    this.#end()
  }

  /** Ends it without a trace. Gives whether the connection is well. */
  async rollback(error: unknown): Promise<boolean> {
    if (this.#loan === undefined) {
      return true
    }
    if (!this.#hasBegun) {
      this.#end(error)
      return true
    }
    const isDone = await isRolledBack(this.#loan)
    this.#end(isDone ? undefined : new Error('The rollback failed'))
    return isDone
  }

  #lend(): MaybePromise<Loan> {
    if (this.#loan !== undefined) {
      return this.#loan
    }
    const lent = this.#place.connections.lend()
    return lent instanceof Promise ? lent.then((loan) => this.#hold(loan)) : this.#hold(lent)
  }

  #hold(loan: Loan): Loan {
    this.#loan = loan
    return loan
  }

  #end(error?: unknown): void {
    const loan = this.#loan
    this.#loan = undefined
    loan?.end(error)
  }
}

async function isRolledBack(loan: Loan): Promise<boolean> {
  let isDone = false
  const rollback = async (): Promise<void> => {
    await loan.ask('rollback')
    isDone = true
  }
  await endsWithin(systemClock, Promise.allSettled([rollback()]), ROLLBACK_MS)
  return isDone
}
