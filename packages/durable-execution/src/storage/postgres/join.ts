/** The operations inside a transaction that the user began on a connection of their own. */

import { DurableExecutionError } from '../../base/errors.ts'
import { type DurableStorageTx } from '../contract.ts'
import { type SqlValue } from '../sql/fields.ts'
import { type Answer, type Given } from './driver.ts'
import { isMissingTable } from './failures.ts'
import { toPayload } from './hints.ts'
import { insertOnlyIf } from './insert.ts'
import { type PostgresOperations } from './operations.ts'
import { typeOf } from './schema.ts'
import { type Call } from './session.ts'
import { type Statements } from './transaction.ts'

/**
 * A transaction of your own, as `enqueueTask` takes it for its option `transaction`: a client of `pg` on which
 * one was begun, or anything with a `query` that runs a statement with its values `$1`, `$2`, … inside it.
 *
 * @category Postgres
 */
export type PostgresTransaction = {
  query: (text: string, values: Array<unknown>) => Promise<{ rows: Array<unknown> }>
}

export type JoinOptions = {
  readonly operations: PostgresOperations
  readonly schema: string
  /** Where the commit is told, and by whom; undefined without hints. */
  readonly hints: { readonly channel: string; readonly sender: string } | undefined
}

// The calls of one transaction are made one after the other, since a connection takes one statement at a time.
const lastCalls = new WeakMap<object, Promise<unknown>>()

/** Joins the transaction that is open on the given thing. */
export function joinTransaction(given: object, options: JoinOptions): DurableStorageTx {
  const transaction = checkTransaction(given)
  const tx: Record<string, unknown> = {}
  for (const [name, operation] of Object.entries(options.operations)) {
    const isInsert = name.startsWith('insert')
    tx[name] = callOf(operation as Prepare, transaction, () => statementsOf(transaction, options, isInsert))
  }
  return tx as DurableStorageTx
}

type Prepare = (...values: Array<unknown>) => Call

function callOf(
  prepare: Prepare,
  transaction: PostgresTransaction,
  open: () => Statements,
): (...values: Array<unknown>) => Promise<unknown> {
  return async (...values) => {
    const call = prepare(...values)
    const statements = open()
    return await inTurn(transaction, async () => await call(statements))
  }
}

function checkTransaction(given: object): PostgresTransaction {
  const { query, totalCount, getTransactionStatus } = given as Record<string, unknown>
  if (typeof query !== 'function') {
    throw invalid(
      'it must be a client of pg on which a transaction was begun, or an object with `query(text, values)`',
    )
  }
  if (typeof totalCount === 'number') {
    throw invalid(
      'it is a pool, which runs each statement on any connection. Give the client that you began it on',
    )
  }
  // Older clients of pg do not know it; for them, and adapters, the insert finds out where it can.
  if (typeof getTransactionStatus === 'function' && getTransactionStatus.call(given) === 'I') {
    throw notOpen()
  }
  return given as PostgresTransaction
}

async function inTurn<T>(transaction: object, call: () => Promise<T>): Promise<T> {
  const made = (lastCalls.get(transaction) ?? Promise.resolve()).then(call)
  lastCalls.set(
    transaction,
    made.catch(() => {}),
  )
  return await made
}

function statementsOf(
  transaction: PostgresTransaction,
  { schema, hints }: JoinOptions,
  isInsert: boolean,
): Statements {
  const run: Statements['run'] = async (text, values) => await ask(transaction, schema, text, values)
  return {
    run: isInsert && hints !== undefined ? insertAndTell(run, hints) : run,
    together: () => Promise.resolve(),
    known: new Set(),
  }
}

/**
 * Sends the hint, which Postgres delivers at the commit, and then inserts. Both are in one transaction, or
 * there is none: then the insert, which must not be kept at once, inserts nothing.
 */
function insertAndTell(
  run: Statements['run'],
  { channel, sender }: { channel: string; sender: string },
): Statements['run'] {
  let transactionId: SqlValue | undefined
  const currentId = 'pg_current_xact_id()::text'
  return async (text, values) => {
    if (transactionId === undefined) {
      const told = await run(`select ${currentId} as transaction_id from pg_notify($1::text, $2::text)`, [
        channel,
        toPayload({ from: sender, hint: { ready: true } }),
      ])
      transactionId = told[0]?.[0] ?? null
    }
    const guarded = insertOnlyIf(text, `${currentId} = $${values.length + 1}::text`)
    const inserted = await run(guarded, [...values, transactionId])
    // All of them may be there already.
    const nowIn =
      inserted.length > 0 ? transactionId : (await run(`select ${currentId} as transaction_id`, []))[0]?.[0]
    if (nowIn !== transactionId) {
      throw notOpen()
    }
    return inserted
  }
}

async function ask(
  transaction: PostgresTransaction,
  schema: string,
  text: string,
  values: Array<Given>,
): Promise<Answer['rows']> {
  let answer: { rows?: unknown } | undefined
  try {
    answer = await transaction.query(text, values)
  } catch (error) {
    throw isMissingTable(error) ? missingTable(schema, error) : error
  }
  if (!Array.isArray(answer?.rows)) {
    throw invalid('its `query` must resolve with an object whose `rows` is a list')
  }
  return answer.rows.map(cellsOf)
}

// Drivers give a row as a list or as an object, and numbers of 64 bits as texts or bigints.
function cellsOf(row: unknown): Array<SqlValue> {
  if (Array.isArray(row)) {
    return row as Array<SqlValue>
  }
  return Object.entries(row as Record<string, SqlValue>).map(([column, value]) =>
    value === null || typeOf(column) === 'text' ? value : Number(value),
  )
}

function missingTable(schema: string, cause: unknown): DurableExecutionError {
  return new DurableExecutionError(
    `Invalid transaction: its database has no tables of the storage, whose schema is ${schema}. ` +
      'Use a connection to the database of the storage.',
    false,
    { cause },
  )
}

function notOpen(): DurableExecutionError {
  return new DurableExecutionError(
    'Invalid transaction: no transaction is open on it. Begin one before the enqueue, and commit it after.',
    false,
  )
}

function invalid(reason: string): DurableExecutionError {
  return new DurableExecutionError(`Invalid transaction: ${reason}`, false)
}
