/** Runs a function in a transaction, and sees to it that what it did is kept whole or not at all. */

import { endsWithin, sleep, systemClock } from '../../base/clock.ts'
import { DurableExecutionError } from '../../base/errors.ts'
import { systemRandom } from '../../base/random.ts'
import { type DurableStorageTx } from '../contract.ts'
import { type Connections, type Loan } from './connections.ts'
import { type Answer, ask, type Given } from './driver.ts'
import { isConflict, preparedFailure } from './failures.ts'
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
}

/** A call on a transaction, ready to be made. */
export type Call<T = unknown> = (statements: Statements) => Promise<T>

type Fn<T> = (tx: DurableStorageTx) => Promise<T>

// A single call that met another transaction is made again so often, after a pause that grows.
const CALL_TRIES = 10
const PAUSE_MS = 2

// Prepared anew a statement fits, so what still fails then has another reason.
const HEALS = 2

// A connection that does not even answer a rollback is given up after this time.
const ROLLBACK_MS = 5_000

/** Runs `fn` between BEGIN, which waits for the first statement, and COMMIT. */
export async function runTransaction<T>(place: Place, fn: Fn<T>): Promise<T> {
  const transaction = createTransaction(place)
  const session = createSession()
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
  const session = createSession()
  let isMade = false
  const tx = wrapOperations(place.operations, (call) => {
    session.assertUsable()
    if (isMade) {
      throw new DurableExecutionError('A transaction with the hint `oneCall` makes one call only', false)
    }
    isMade = true
    return session.run(() => repeatOnConflict(() => callAlone(place, call), place.names))
  })
  try {
    return await fn(tx)
  } finally {
    session.abandon()
    await session.settled()
  }
}

async function callAlone(place: Place, call: Call): Promise<unknown> {
  // Only here do statements have names: one that turns out to be outdated ends its transaction, and nothing but
  // a call that stands alone can be made again.
  const transaction = createTransaction(place, place.names)
  try {
    if (place.scope === 'transaction') {
      await transaction.together()
    }
    const answer = await call(transaction)
    await transaction.commit()
    return answer
  } catch (error) {
    await transaction.rollback(error)
    throw error
  }
}

async function repeatOnConflict<T>(attempt: () => Promise<T>, names: StatementNames | undefined): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt()
    } catch (error) {
      const isRepeatable =
        isConflict(error) || (names !== undefined && tries <= HEALS && isHealed(names, error))
      if (!isRepeatable || tries === CALL_TRIES) {
        throw error
      }
    }
    await sleep(systemClock, systemRandom() * PAUSE_MS * 2 ** tries)
  }
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

type Transaction = Statements & { commit: () => Promise<void>; rollback: (error: unknown) => Promise<void> }

/** A connection taken when it is needed, with or without a transaction on it. */
function createTransaction(
  { connections, scope, statementTimeoutMs }: Place,
  names?: StatementNames,
): Transaction {
  let loan: Loan | undefined
  let hasBegun = false
  const end = (error?: unknown): void => {
    const ended = loan
    loan = undefined
    ended?.end(error)
  }
  return {
    run: async (text, values) => {
      loan ??= await connections.lend()
      return (await ask(loan.client, text, values, names?.of(text))).rows
    },
    together: async () => {
      if (!hasBegun) {
        loan ??= await connections.lend()
        // Set before it is known: a rollback without a transaction does no harm.
        hasBegun = true
        await ask(loan.client, beginText(scope, statementTimeoutMs))
      }
    },
    commit: async () => {
      if (loan !== undefined && hasBegun) {
        try {
          const { command } = await ask(loan.client, 'commit')
          if (command !== 'COMMIT') {
            // That is how Postgres answers when a statement had failed.
            throw new DurableExecutionError(
              'The transaction could not be committed: one of its statements failed',
            )
          }
        } catch (error) {
          end(error instanceof DurableExecutionError ? undefined : error)
          throw error
        }
      }
      end()
    },
    rollback: async (error) => {
      if (loan === undefined) {
        return
      }
      if (!hasBegun) {
        end(error)
        return
      }
      const isDone = await isRolledBack(loan)
      end(isDone ? undefined : new Error('The rollback failed'))
    },
  }
}

async function isRolledBack({ client }: Loan): Promise<boolean> {
  let isDone = false
  const rollback = async (): Promise<void> => {
    await ask(client, 'rollback')
    isDone = true
  }
  await endsWithin(systemClock, Promise.allSettled([rollback()]), ROLLBACK_MS)
  return isDone
}

/** Whether a transaction may still be used, and what broke it. Its calls are made one after the other. */
type Session = {
  assertUsable: () => void
  run: <R>(call: () => Promise<R>) => Promise<R>
  /** Waits for calls that nobody awaited; throws what broke it, even if the function went on as if nothing had happened. */
  end: () => Promise<void>
  settled: () => Promise<void>
  abandon: () => void
  broken: () => { error: unknown } | undefined
}

function createSession(): Session {
  let isEnded = false
  let broken: { error: unknown } | undefined
  let last: Promise<unknown> = Promise.resolve()
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
  const settled = async (): Promise<void> => {
    let awaited: Promise<unknown> | undefined
    while (awaited !== last) {
      awaited = last
      await awaited
    }
  }
  return {
    assertUsable,
    settled,
    broken: () => broken,
    run: (call) => {
      assertUsable()
      const made = last.then(async () => {
        assertWhole()
        try {
          return await call()
        } catch (error) {
          // After an error Postgres takes nothing but a rollback.
          broken ??= { error }
          throw error
        }
      })
      last = made.catch(() => {})
      return made
    },
    end: async () => {
      isEnded = true
      await settled()
      assertWhole()
    },
    abandon: () => {
      isEnded = true
    },
  }
}

// What is given is read at once, before the caller can change it; only then does the call take its turn.
function wrapOperations(operations: PostgresOperations, invoke: (call: Call) => unknown): DurableStorageTx {
  const tx: Record<string, unknown> = {}
  for (const [name, operation] of Object.entries(operations)) {
    const prepare = operation as (...given: Array<unknown>) => Call
    tx[name] = async (...given: Array<unknown>) => await invoke(prepare(...given))
  }
  return tx as DurableStorageTx
}
