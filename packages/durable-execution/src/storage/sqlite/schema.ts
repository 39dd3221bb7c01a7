/** The tables and indexes in SQLite, and how a database gets them. */

import { assertMigrated, dueMigrations, SCHEMA_TABLE, type SqlMigration } from '../sql/migrations.ts'
import { PARTIAL_INDEX_CONDITIONS, type SqlPath } from '../sql/where.ts'
import { retryWhileBusy } from './busy.ts'
import { type SqliteDriver } from './driver.ts'
import { inImmediateTransaction } from './transaction.ts'

/** One row an execution. `seq` is the order of insertion. */
export const EXECUTIONS_TABLE = 'durable_execution_executions'

/**
 * The lists of children, by the parent's `seq`. SQLite rewrites a row whole when it is changed, and a
 * list may have megabytes while its parent's row changes with each child that completes.
 */
export const CHILDREN_TABLE = 'durable_execution_children'

/**
 * The indexes by the path that a query takes. Queries name theirs, so that a plan depends neither on
 * statistics nor on how many rows there are just now.
 */
export const INDEX_OF_PATH: Record<Exclude<SqlPath, 'all'>, string> = {
  ids: 'durable_execution_by_id',
  ready: 'durable_execution_ready',
  prioritized: 'durable_execution_prioritized',
  running: 'durable_execution_running',
  unclosed: 'durable_execution_unclosed',
}

/** The index of the children that a cascade still has to look at. */
export const BELOW_INDEX = 'durable_execution_below'

/**
 * The priority of a row. The index of the ready rows begins with it. It is real, so that whatever a damaged file holds is
 * some number, and one that is read compares as the one that is kept.
 */
export const PRIORITY = 'cast(coalesce(priority, 0) as real)'

const CREATE_EXECUTIONS = `create table ${EXECUTIONS_TABLE} (
  seq integer primary key,
  execution_id text not null,
  task_id text not null,
  status text not null,
  is_closed integer not null,
  needs_promise_cancellation integer not null,
  start_at integer not null,
  started_at integer,
  expires_at integer,
  finished_at integer,
  created_at integer not null,
  updated_at integer not null,
  lease_id text,
  executor_id text,
  retry_attempts integer not null,
  losses integer,
  depth integer,
  child_index integer,
  children_tasks_count integer,
  children_tasks_completed_count integer not null,
  root_task_id text,
  root_execution_id text,
  parent_task_id text,
  parent_execution_id text,
  is_finalize_task integer,
  retry_options text not null,
  -- Durations are real: any number of JavaScript fits, and drivers refuse to read larger integers.
  sleep_ms_before_run real not null,
  timeout_ms real not null,
  error text,
  finalize_task text,
  finalize_task_error text,
  children_tasks_errors text,
  run_input text not null,
  run_output text,
  output text
)`

const MIGRATIONS: ReadonlyArray<SqlMigration> = [
  {
    version: 1,
    statements: [
      CREATE_EXECUTIONS,
      `create table ${CHILDREN_TABLE} (seq integer primary key, children_tasks text not null)`,
      `create unique index ${INDEX_OF_PATH.ids} on ${EXECUTIONS_TABLE} (execution_id)`,
      `create index ${INDEX_OF_PATH.ready} on ${EXECUTIONS_TABLE} (start_at) where ${PARTIAL_INDEX_CONDITIONS.ready}`,
      `create index ${INDEX_OF_PATH.running} on ${EXECUTIONS_TABLE} (expires_at) where ${PARTIAL_INDEX_CONDITIONS.running}`,
      `create index ${INDEX_OF_PATH.unclosed} on ${EXECUTIONS_TABLE} (seq) where ${PARTIAL_INDEX_CONDITIONS.unclosed}`,
      `create index ${BELOW_INDEX} on ${EXECUTIONS_TABLE} (parent_execution_id) where ${PARTIAL_INDEX_CONDITIONS.below}`,
    ],
  },
  {
    version: 2,
    statements: [
      ...[
        'suspended_for text',
        'priority integer',
        'tags text',
        'deadline_at integer',
        'has_compensations integer',
        'children_tasks_failed_count integer',
      ].map((column) => `alter table ${EXECUTIONS_TABLE} add column ${column}`),
      // The statements of a program of the version before that is still at work name this index: they sort what is ready.
      `drop index ${INDEX_OF_PATH.ready}`,
      `create index ${INDEX_OF_PATH.ready} on ${EXECUTIONS_TABLE} (${PRIORITY}, start_at) where ${PARTIAL_INDEX_CONDITIONS.ready}`,
      `create index ${INDEX_OF_PATH.prioritized} on ${EXECUTIONS_TABLE} (start_at) where ${PARTIAL_INDEX_CONDITIONS.prioritized}`,
    ],
  },
]

/** Brings the schema up to date. Any number of processes may do so at once: one does it, the others see it done. */
export async function migrateSchema(driver: SqliteDriver): Promise<void> {
  const isDue = (): boolean => dueMigrations(MIGRATIONS, schemaVersion(driver)).length > 0
  if (!(await retryWhileBusy(driver, isDue))) {
    return
  }
  await inImmediateTransaction(driver, () => {
    for (const { version, statements } of dueMigrations(MIGRATIONS, schemaVersion(driver))) {
      driver.exec(`create table if not exists ${SCHEMA_TABLE} (version integer not null)`)
      for (const statement of statements) {
        driver.exec(statement)
      }
      driver.exec(`delete from ${SCHEMA_TABLE}; insert into ${SCHEMA_TABLE} (version) values (${version})`)
    }
  })
}

/** Throws where the schema is missing, behind or ahead. */
export async function assertSchema(driver: SqliteDriver): Promise<void> {
  await retryWhileBusy(driver, () => assertMigrated(MIGRATIONS, schemaVersion(driver)))
}

function schemaVersion(driver: SqliteDriver): number | null {
  const tables = driver
    .prepare(`select 1 from sqlite_master where type = 'table' and name = ?`)
    .all([SCHEMA_TABLE])
  if (tables.length === 0) {
    return null
  }
  const [newest] = driver.prepare(`select max(version) from ${SCHEMA_TABLE}`).all([])
  return (newest?.[0] ?? null) as number | null
}
