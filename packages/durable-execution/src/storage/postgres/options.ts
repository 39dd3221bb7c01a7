/** The options of the Postgres storage, and what is wrong with them. */

import { DurableExecutionError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { type PostgresPool } from './driver.ts'

/**
 * The options of {@link createPostgresStorage}: either a `connectionString` or a `pool`.
 *
 * @category Postgres
 */
export type PostgresStorageOptions = PostgresStorageSource & {
  /** The schema that holds the tables; default `durable_execution`. At most 50 bytes long. */
  schema?: string | undefined
  /** Whether the tables are created or updated before the first transaction; default true. */
  migrate?: boolean | undefined
  /**
   * Whether changes are told to other processes, and heard from them, by LISTEN and NOTIFY; default true.
   * Without, they are found by polling. Give it alike to all programs of one schema: an executor that listens
   * looks by itself every 15 seconds only.
   */
  hints?: boolean | undefined
  /**
   * Where to listen, if that is not where the rows are: a transaction-mode pooler does not pass on
   * notifications, so this leads past it.
   */
  listenConnectionString?: string | undefined
  /** How long a statement may take, waiting for locks included, in milliseconds; default 30,000. */
  statementTimeoutMs?: number | undefined
}

/**
 * Where the rows are.
 *
 * @category Postgres
 */
export type PostgresStorageSource =
  | {
      /** Opened with `pg`, which must be installed. */
      connectionString: string
      /** How many connections there may be at a time, the one that listens not counted; default 10. */
      maxConnections?: number | undefined
      pool?: undefined
    }
  | {
      /**
       * A pool of your own. It is not closed. Its `error` events get a listener, and for a moment those of each new
       * connection, so that the loss of one that nobody uses does not end the process. For the best plans give its connections
       * {@link POSTGRES_SESSION_OPTIONS}; without them each transaction sets what it needs, at the price of
       * two round trips for each single statement.
       */
      pool: PostgresPool
      connectionString?: undefined
      maxConnections?: undefined
    }

/** The options, checked, with what they leave out. */
export type CheckedOptions = {
  readonly source:
    | {
        readonly kind: 'connectionString'
        readonly connectionString: string
        readonly maxConnections: number
      }
    | { readonly kind: 'pool'; readonly pool: PostgresPool }
  readonly schema: string
  readonly migrates: boolean
  readonly hasHints: boolean
  readonly listenConnectionString: string | undefined
  readonly statementTimeoutMs: number
}

/** How many connections a pool has that says nothing else; it is the default of `pg` too. */
export const MAX_CONNECTIONS = 10

// Names have 63 bytes in Postgres, and the channel's is the schema's and a little more.
const SCHEMA_BYTES = 50

const LONGEST_TIMEOUT_MS = 2 ** 31 - 1

/** Checks the options. Throws a non-retryable error that says what to do. */
export function checkOptions(options: PostgresStorageOptions): CheckedOptions {
  // Plain JavaScript may pass anything, and null means "not given".
  const given: Record<string, unknown> = { ...options }
  const schema = given['schema'] ?? 'durable_execution'
  if (typeof schema !== 'string' || schema === '' || schema.includes('\0') || !schema.isWellFormed()) {
    throw invalid('`schema` must be the name of a schema')
  }
  if (new TextEncoder().encode(schema).length > SCHEMA_BYTES || schema.startsWith('pg_')) {
    throw invalid(`\`schema\` may have ${SCHEMA_BYTES} bytes, and may not begin with pg_`)
  }
  return {
    source: checkSource(given),
    schema,
    migrates: checkFlag(given, 'migrate'),
    hasHints: checkFlag(given, 'hints'),
    listenConnectionString: checkConnectionString(given, 'listenConnectionString'),
    statementTimeoutMs: checkCount(given, 'statementTimeoutMs', LIMITS.storageCallMs, LONGEST_TIMEOUT_MS),
  }
}

function checkSource(given: Record<string, unknown>): CheckedOptions['source'] {
  const connectionString = checkConnectionString(given, 'connectionString')
  const pool = given['pool'] ?? undefined
  if ((connectionString === undefined) === (pool === undefined)) {
    throw invalid('give either `connectionString` or `pool`')
  }
  if (connectionString === undefined) {
    if ((given['maxConnections'] ?? undefined) !== undefined) {
      throw invalid('`maxConnections` goes with `connectionString`; a pool has a limit of its own')
    }
    if (!isPool(pool)) {
      throw invalid('`pool` must be a Pool of pg, 8.11 or later')
    }
    return { kind: 'pool', pool }
  }
  const maxConnections = checkCount(given, 'maxConnections', MAX_CONNECTIONS, 10_000)
  return { kind: 'connectionString', connectionString, maxConnections }
}

function checkConnectionString(given: Record<string, unknown>, name: string): string | undefined {
  const value = given[name] ?? undefined
  if (value !== undefined && (typeof value !== 'string' || value === '')) {
    throw invalid(`\`${name}\` must be a text such as postgresql://user@host/database`)
  }
  return value
}

function checkFlag(given: Record<string, unknown>, name: string): boolean {
  const value = given[name] ?? true
  if (typeof value !== 'boolean') {
    throw invalid(`\`${name}\` must be true or false`)
  }
  return value
}

function checkCount(given: Record<string, unknown>, name: string, byDefault: number, max: number): number {
  const value = given[name] ?? byDefault
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > max) {
    throw invalid(`\`${name}\` must be a whole number from 1 to ${max}`)
  }
  return value
}

function isPool(value: unknown): value is PostgresPool {
  return (
    typeof value === 'object' &&
    value !== null &&
    ['connect', 'on', 'off'].every((name) => typeof (value as Record<string, unknown>)[name] === 'function')
  )
}

function invalid(reason: string): DurableExecutionError {
  return new DurableExecutionError(`Invalid options of the Postgres storage: ${reason}`, false)
}
