/** What the storage needs of `pg`, by shape alone, and how it asks a statement. */

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
  query: (query: PostgresQuery) => Promise<unknown>
  on: PostgresEvents
  off: PostgresEvents
  /** Gives it back; with `true` or an error it is closed. */
  release: (error?: Error | boolean) => void
}

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

const asItIs = (text: string): unknown => text
const TYPES: PostgresQuery['types'] = { getTypeParser: (oid) => (NUMBERS.has(oid) ? Number : asItIs) }

/** Runs one statement. Without values it may be several, parted by semicolons, answered by the last. */
export async function ask(
  client: Pick<PostgresPoolClient, 'query'>,
  text: string,
  values: Array<Given> = [],
  name?: string,
): Promise<Answer> {
  const query: PostgresQuery = { text, values, rowMode: 'array', types: TYPES }
  const answer = await client.query(name === undefined ? query : { name, ...query })
  return (Array.isArray(answer) ? answer.at(-1) : answer) as Answer
}
