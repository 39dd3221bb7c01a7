/** The tables and indexes in Postgres, and how a database gets them. */

import { DurableExecutionError } from '../../base/errors.ts'
import { assertMigrated, dueMigrations, SCHEMA_TABLE, type SqlMigration } from '../sql/migrations.ts'
import { PARTIAL_INDEX_CONDITIONS } from '../sql/where.ts'
import { takingFunctions } from './claims-functions.ts'
import { claimsSchema } from './claims-schema.ts'
import { type Loan } from './connections.ts'
import { PRIORITY, qualified, quoted, tablesOf } from './tables.ts'

type Client = Pick<Loan, 'ask'>

const OLDEST_SERVER = 14

// Texts are compared byte by byte. Flags are numbers, and times milliseconds, as in every SQL storage.
const CREATE_EXECUTIONS = (table: string): string => `create table ${table} (
  seq bigint generated always as identity,
  execution_id text collate "C" primary key,
  task_id text collate "C" not null,
  status text collate "C" not null,
  is_closed smallint not null,
  needs_promise_cancellation smallint not null,
  start_at bigint not null,
  started_at bigint,
  expires_at bigint,
  finished_at bigint,
  created_at bigint not null,
  updated_at bigint not null,
  lease_id text collate "C",
  executor_id text collate "C",
  retry_attempts bigint not null,
  losses bigint,
  depth bigint,
  child_index bigint,
  children_tasks_count bigint,
  children_tasks_completed_count bigint not null,
  root_task_id text collate "C",
  root_execution_id text collate "C",
  parent_task_id text collate "C",
  parent_execution_id text collate "C",
  is_finalize_task smallint,
  retry_options text not null,
  sleep_ms_before_run double precision not null,
  timeout_ms double precision not null,
  error text,
  finalize_task text,
  finalize_task_error text,
  children_tasks_errors text,
  run_input text not null,
  run_output text,
  output text,
  children_tasks text
)
-- Rows change several times within a second of their lives, so what is dead is swept early.
with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0)`

/** The type of each column that is no text. */
const TYPES = new Map<string, string>([
  ...['is_closed', 'needs_promise_cancellation', 'is_finalize_task', 'has_compensations'].map(
    (name) => [name, 'smallint'] as const,
  ),
  ...['start_at', 'started_at', 'expires_at', 'finished_at', 'created_at', 'updated_at'].map(
    (name) => [name, 'bigint'] as const,
  ),
  ...['retry_attempts', 'losses', 'depth', 'child_index'].map((name) => [name, 'bigint'] as const),
  ...['children_tasks_count', 'children_tasks_completed_count', 'children_tasks_failed_count'].map(
    (name) => [name, 'bigint'] as const,
  ),
  ...['priority', 'deadline_at'].map((name) => [name, 'bigint'] as const),
  ...['sleep_ms_before_run', 'timeout_ms'].map((name) => [name, 'double precision'] as const),
])

/** The type of a column. */
export function typeOf(column: string): string {
  return TYPES.get(column) ?? 'text'
}

// A finished, closed row is in none of the partial indexes, so they stay as small as what is still to be done.
function migrationsOf(schema: string): ReadonlyArray<SqlMigration> {
  const tables = tablesOf(schema)
  // Its name until version 4.
  const table = qualified(schema, 'executions')
  const { ready, prioritized, running, unclosed, below } = PARTIAL_INDEX_CONDITIONS
  return [
    {
      version: 1,
      statements: [
        CREATE_EXECUTIONS(table),
        `create index executions_ready on ${table} (start_at, seq) where ${ready}`,
        `create index executions_running on ${table} (expires_at, seq) where ${running}`,
        `create index executions_unclosed on ${table} (seq) where ${unclosed}`,
        `create index executions_below on ${table} (parent_execution_id, seq) where ${below}`,
      ],
    },
    {
      version: 2,
      statements: [
        `alter table ${table} add column suspended_for text, add column priority bigint, add column tags text, add column deadline_at bigint, add column has_compensations smallint, add column children_tasks_failed_count bigint`,
        // A program of the version before that is still at work finds an index of the same name: it sorts what is ready.
        `drop index ${qualified(schema, 'executions_ready')}`,
        `create index executions_ready on ${table} ((${PRIORITY}), start_at, seq) where ${ready}`,
        `create index executions_prioritized on ${table} (start_at, seq) where ${prioritized}`,
      ],
    },
    {
      // A row is written three times in its life, and each version has an entry in the index of the ids. Where a page has room for
      // the next version it goes there: measured with 40,000 rows in batches of 500 a task costs the server 24 µs instead of 29, and 1,520
      // instead of 1,750 bytes of log; table and index are smaller, too (154 and 21 MB instead of 192 and 24 after 200,000). What only
      // counts or touches needs no entry at all.
      version: 3,
      statements: [
        `alter table ${table} set (fillfactor = 60)`,
        `alter index ${qualified(schema, 'executions_pkey')} set (fillfactor = 50)`,
      ],
    },
    // A program of the version before that is still at work would take rows that claims name, and make such rows ready. It finds a view where the
    // table was, which it can read, and where all that it wants to write fails.
    { version: 4, statements: claimsSchema(table, tables) },
    // Programs of the version before go on with it: the function is called as before.
    {
      version: 5,
      statements: [`alter table ${tables.claims} add column sought_hash bigint`, ...takingFunctions(tables)],
    },
  ]
}

/** All that creates the tables in an empty database, as text to be run by somebody else. */
export function schemaText(schema: string): string {
  const versions = qualified(schema, SCHEMA_TABLE)
  const statements = [`create schema if not exists ${quoted(schema)}`, createVersions(schema)]
  for (const { version, statements: steps } of migrationsOf(schema)) {
    statements.push(
      ...steps,
      `delete from ${versions}`,
      `insert into ${versions} (version) values (${version})`,
    )
  }
  return ['begin', ...statements, 'commit'].map((statement) => `${statement};\n`).join('')
}

/** Brings the schema up to date. Any number of processes may do so at once: one does it, the others see it done. */
export async function migrateSchema(client: Client, schema: string): Promise<void> {
  if (dueMigrations(migrationsOf(schema), await schemaVersion(client, schema)).length === 0) {
    return
  }
  // Whoever waits for the lock must then see what was committed meanwhile, and may have to wait long.
  await client.ask('begin isolation level read committed; set local statement_timeout = 0')
  try {
    await client.ask('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`durable_execution ${schema}`])
    const due = dueMigrations(migrationsOf(schema), await schemaVersion(client, schema))
    if (due.length > 0) {
      await takeSteps(client, schema, due)
    }
    await client.ask('commit')
  } catch (error) {
    await client.ask('rollback').catch(() => {})
    throw error
  }
}

async function takeSteps(client: Client, schema: string, due: ReadonlyArray<SqlMigration>): Promise<void> {
  // Who may use the schema may not be allowed to create one, and `if not exists` would ask for that right.
  const { rows } = await client.ask('select 1 from pg_namespace where nspname = $1', [schema])
  if (rows.length === 0) {
    await client.ask(`create schema ${quoted(schema)}`)
  }
  await client.ask(createVersions(schema))
  const versions = qualified(schema, SCHEMA_TABLE)
  for (const { version, statements } of due) {
    for (const statement of statements) {
      await client.ask(statement)
    }
    await client.ask(`delete from ${versions}; insert into ${versions} (version) values (${version})`)
  }
}

/** Throws where the schema is missing, behind or ahead. */
export async function assertSchema(client: Client, schema: string): Promise<void> {
  assertMigrated(migrationsOf(schema), await schemaVersion(client, schema))
}

/** Throws where the server is too old. */
export function assertServer(versionNumber: unknown): void {
  const major = Math.floor(Number(versionNumber) / 10_000)
  if (major < OLDEST_SERVER) {
    throw new DurableExecutionError(
      `The server is Postgres ${major}, and the storage needs ${OLDEST_SERVER} or later`,
      false,
    )
  }
}

function createVersions(schema: string): string {
  return `create table if not exists ${qualified(schema, SCHEMA_TABLE)} (version integer not null)`
}

async function schemaVersion(client: Client, schema: string): Promise<number | null> {
  const versions = qualified(schema, SCHEMA_TABLE)
  const { rows: tables } = await client.ask(
    'select 1 from pg_tables where schemaname = $1 and tablename = $2',
    [schema, SCHEMA_TABLE],
  )
  if (tables.length === 0) {
    return null
  }
  const { rows } = await client.ask(`select max(version) from ${versions}`)
  return (rows[0]?.[0] ?? null) as number | null
}
