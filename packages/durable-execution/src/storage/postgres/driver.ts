/** What the storage needs of `pg`, by shape alone, and how it asks a statement. */

import { systemClock } from '../../base/clock.ts'
import { TimeLimits } from '../../base/time-limits.ts'
import { type SqlValue } from '../sql/fields.ts'

/**
 * A pool of `pg` (8.11 or later), or whatever has its shape.
 *
 * @category Postgres
 */
export type PostgresPool = {
  connect: () => Promise<PostgresPoolClient>
  on: PostgresPoolEvents
  off: PostgresPoolEvents
}

/**
 * How a listener is added to a pool, or removed.
 *
 * @category Postgres
 */
export type PostgresPoolEvents = {
  (event: 'error', listener: (error: Error) => void): unknown
  /** A connection was opened, and nobody has it yet. */
  (event: 'connect', listener: (client: PostgresPoolClient) => void): unknown
}

/**
 * A client that a pool lent.
 *
 * @category Postgres
 */
export type PostgresPoolClient = {
  /** Answers by the callback, or by a promise if it returns one. */
  query: (query: PostgresQuery, callback: PostgresCallback) => unknown
  on: PostgresEvents
  off: PostgresEvents
  /** Gives it back; with `true` or an error it is closed. */
  release: (error?: Error | boolean) => void
}

/**
 * Told what came of a statement.
 *
 * @category Postgres
 */
export type PostgresCallback = (error: Error | null | undefined, answer: unknown) => void

/**
 * How a listener is added to a client, or removed.
 *
 * @category Postgres
 */
export type PostgresEvents = {
  (event: 'error', listener: (error: Error) => void): unknown
  (event: 'notification', listener: (message: PostgresNotification) => void): unknown
}

/**
 * What NOTIFY sent.
 *
 * @category Postgres
 */
export type PostgresNotification = { channel: string; payload?: string | undefined }

/**
 * A statement as `pg` takes it. The rows come as lists, and as numbers and texts whatever parsers the
 * program has set.
 *
 * @category Postgres
 */
export type PostgresQuery = {
  /** Given only on connections that the storage opened itself: the server keeps the statement by it. */
  name?: string
  text: string
  values: Array<unknown>
  rowMode: 'array'
  types: { getTypeParser: (oid: number) => (text: string) => unknown }
}

/** What a statement answered. */
export type Answer = { command: string; rows: Array<Array<SqlValue>> }

/** A value handed over: a list goes as an array of texts. */
export type Given = SqlValue | Array<SqlValue>

const SMALLINT = 21
const INTEGER = 23
const BIGINT = 20
const DOUBLE = 701
const NUMBERS: ReadonlySet<number> = new Set([SMALLINT, INTEGER, BIGINT, DOUBLE])

const limits = new TimeLimits(systemClock)

const asItIs = (text: string): unknown => text
const TYPES: PostgresQuery['types'] = { getTypeParser: (oid) => (NUMBERS.has(oid) ? Number : asItIs) }

/**
 * Runs one statement. Without values it may be several, parted by semicolons, answered by the last. Without an answer after `limitMs` it
 * is given up.
 *
 * Asked by callback, for what an answer costs in Node 24: where `pg` gives a promise or has a `query_timeout`, it assigns
 * a function to a property of the query in place. V8 makes such a function in the old generation, and what it leads to, here all
 * the rows, stays until the next full collection: 250 rows cost 3.6 to 4.2 µs each with them and 2.0 without.
 */
export function ask(
  client: Pick<PostgresPoolClient, 'query'>,
  text: string,
  values: Array<Given> = [],
  name?: string,
  limitMs?: number,
): Promise<Answer> {
  const query: PostgresQuery = { text, values, rowMode: 'array', types: TYPES }
  if (name !== undefined) {
    query.name = name
  }
  return answerTo(client, query, lastOf, limitMs)
}

/** Runs what the user asks, in any form that the driver takes; gives what it answers. */
export function pass(
  client: Pick<PostgresPoolClient, 'query'>,
  query: object,
  limitMs?: number,
): Promise<unknown> {
  return answerTo(client, query as PostgresQuery, (answer) => answer, limitMs)
}

function answerTo<T>(
  client: Pick<PostgresPoolClient, 'query'>,
  query: PostgresQuery,
  read: (answer: unknown) => T,
  limitMs: number | undefined,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer =
      limitMs === undefined
        ? undefined
        : limits.set(limitMs, () => reject(new Error(`The server did not answer within ${limitMs} ms`)))
    const returned = client.query(query, (error, answer) => {
      timer?.cancel()
      if (error === undefined || error === null) {
        resolve(read(answer))
      } else {
        reject(error)
      }
    })
    if (returned instanceof Promise) {
      returned.then((answer) => {
        // A wrapper that passes the callback on has nothing to resolve with: then the callback answers.
        if (answer !== undefined && answer !== null) {
          resolve(read(answer))
        }
      }, reject)
    }
  })
}

function lastOf(answer: unknown): Answer {
  return (Array.isArray(answer) ? answer.at(-1) : answer) as Answer
}
