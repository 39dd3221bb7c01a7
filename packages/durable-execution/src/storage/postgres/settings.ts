/** The settings under which the statements run. */

// A queue fills and empties within seconds, so what Postgres knows of its tables is always wrong: it then reads
// and sorts all ready rows for a claim, and joins a batch of updates with the whole table. Each statement has
// one good plan, through the index made for it, and these leave no other. Measured with 20,000 rows in batches of
// 250: on a table that was never analysed a claim costs 33 µs a row with them and 57 without, settling 30 and
// 56; on one freshly analysed there is no difference.
export const PLAN_SETTINGS: ReadonlyArray<readonly [name: string, value: string]> = [
  ['plan_cache_mode', 'force_generic_plan'],
  ['enable_seqscan', 'off'],
  ['enable_bitmapscan', 'off'],
  ['enable_hashjoin', 'off'],
  ['enable_mergejoin', 'off'],
  ['enable_sort', 'off'],
  ['enable_memoize', 'off'],
  ['jit', 'off'],
]

/**
 * The settings that make the plans of this storage's statements independent of statistics, for the
 * `options` of a pool of your own that is used for nothing else.
 *
 * @example
 * ```ts
 * import { createPostgresStorage, POSTGRES_SESSION_OPTIONS } from 'durable-execution/postgres'
 * import pg from 'pg'
 *
 * const pool = new pg.Pool({ connectionString: 'postgresql://localhost/app', options: POSTGRES_SESSION_OPTIONS })
 * const storage = createPostgresStorage({ pool })
 * ```
 *
 * @category Postgres
 */
export const POSTGRES_SESSION_OPTIONS: string = asOptions(PLAN_SETTINGS)

/**
 * Where the settings are made: once for each connection, or in each transaction. With the latter a single
 * call needs a transaction around it: 42,600 rows a second were inserted instead of 55,800, 29,500 claimed
 * instead of 39,100, in batches of 250.
 */
export type SettingsScope = 'connection' | 'transaction'

/** All that a connection of our own begins with. Nothing here needs more than READ COMMITTED. */
export function connectionOptions(statementTimeoutMs: number): string {
  return asOptions([
    ...PLAN_SETTINGS,
    ...limits(statementTimeoutMs),
    ['default_transaction_isolation', 'read\\ committed'],
  ])
}

/** Begins a transaction. */
export function beginText(scope: SettingsScope, statementTimeoutMs: number): string {
  const settings = scope === 'connection' ? [] : [...PLAN_SETTINGS, ...limits(statementTimeoutMs)]
  return inOneTrip(['begin isolation level read committed', ...local(settings)])
}

// Ends with the transaction, so that it tells whether that is still the same.
const SHARED_MARK = 'durable_execution.shared'

/** Begins a transaction that code of the user's shares: its statements are planned as anywhere else. */
export function beginSharedText(scope: SettingsScope, statementTimeoutMs: number): string {
  const settings =
    scope === 'connection'
      ? PLAN_SETTINGS.map(([name]) => [name, name === 'plan_cache_mode' ? 'auto' : 'on'] as const)
      : limits(statementTimeoutMs)
  return inOneTrip(['begin isolation level read committed', ...local([...settings, [SHARED_MARK, 'on']])])
}

/**
 * What comes between the user's statements and ours: constraints that are checked at the commit are checked now, while it is plain
 * whose they are. Answers {@link IS_SHARED} if the transaction is still there.
 */
export const END_OF_USE: string = inOneTrip([
  'set constraints all immediate',
  ...local(PLAN_SETTINGS),
  `select coalesce(current_setting('${SHARED_MARK}', true), '')`,
])

export const IS_SHARED = 'on'

/** What a connection must come with for a single call to need no transaction around it. */
const NEEDED: ReadonlyArray<readonly [name: string, value: string]> = [
  ...PLAN_SETTINGS,
  ['transaction_isolation', 'read committed'],
]

/** Reads what {@link arePinned} wants to know. */
export const READ_SETTINGS: string = `select ${NEEDED.map(([name]) => `current_setting('${name}')`).join(', ')}`

/** Whether the connection came with the settings of the plans, and begins transactions as they are meant to be. */
export function arePinned(values: ReadonlyArray<unknown>): boolean {
  return NEEDED.every(([, value], index) => values[index] === value)
}

/** A process that is stopped inside a transaction must not hold its locks for ever. */
function limits(statementTimeoutMs: number): Array<readonly [string, string]> {
  const ms = String(statementTimeoutMs)
  return [
    ['statement_timeout', ms],
    ['idle_in_transaction_session_timeout', ms],
  ]
}

// `set local` ends with the transaction, so nothing is left on a connection that a pooler hands on.
function local(settings: ReadonlyArray<readonly [string, string]>): Array<string> {
  return settings.map(([name, value]) => `set local ${name} = ${value}`)
}

// As statements of the simple kind they cost one round trip.
function inOneTrip(statements: ReadonlyArray<string>): string {
  return statements.join('; ')
}

function asOptions(settings: ReadonlyArray<readonly [string, string]>): string {
  return settings.map(([name, value]) => `-c ${name}=${value}`).join(' ')
}
