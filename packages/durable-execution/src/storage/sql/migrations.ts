/** The steps that bring a database's schema up to date, and which of them are due. */

import { DurableExecutionError } from '../../base/errors.ts'

/** One step. Steps are never changed once published, only added; the last one's version is the library's. */
export type SqlMigration = { readonly version: number; readonly statements: ReadonlyArray<string> }

/** The table that says which steps were taken. It is ours alone, since the database may be the user's own. */
export const SCHEMA_TABLE = 'durable_execution_schema'

/**
 * The steps that are still to be taken, in their order.
 *
 * @param current - The database's version; null when it has none of our tables.
 */
export function dueMigrations(
  migrations: ReadonlyArray<SqlMigration>,
  current: number | null,
): ReadonlyArray<SqlMigration> {
  refuseNewerSchema(migrations, current)
  return migrations.filter(({ version }) => version > (current ?? 0))
}

/** Refuses a database whose schema is not the library's, for programs that migrate by themselves. */
export function assertMigrated(migrations: ReadonlyArray<SqlMigration>, current: number | null): void {
  refuseNewerSchema(migrations, current)
  const latest = latestVersion(migrations)
  if (current === latest) {
    return
  }
  const found = current === null ? 'has no tables of durable-execution' : `has schema version ${current}`
  throw new DurableExecutionError(
    `The database ${found}, and this library needs version ${latest}. ` +
      'Call `migrate()` of the storage first, or leave out `migrate: false`.',
    false,
  )
}

function refuseNewerSchema(migrations: ReadonlyArray<SqlMigration>, current: number | null): void {
  const latest = latestVersion(migrations)
  if (current !== null && current > latest) {
    throw new DurableExecutionError(
      `The database has schema version ${current}, and this library knows versions up to ${latest}. ` +
        'A newer durable-execution has migrated it: update durable-execution in this program.',
      false,
    )
  }
}

function latestVersion(migrations: ReadonlyArray<SqlMigration>): number {
  return Math.max(...migrations.map(({ version }) => version))
}
