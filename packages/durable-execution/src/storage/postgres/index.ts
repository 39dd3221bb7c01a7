/** The entry `durable-execution/postgres`: a storage that keeps its rows in Postgres. */

export {
  type PostgresCallback,
  type PostgresEvents,
  type PostgresNotification,
  type PostgresPool,
  type PostgresPoolClient,
  type PostgresPoolEvents,
  type PostgresQuery,
} from './driver.ts'
export { type PostgresTransaction } from './join.ts'
export { type PostgresStorageOptions, type PostgresStorageSource } from './options.ts'
export { POSTGRES_SESSION_OPTIONS } from './settings.ts'
export {
  type PostgresTransactionClient,
  type PostgresTransactionQuery,
  type PostgresTransactionResult,
} from './shared-client.ts'
export { createPostgresStorage, type PostgresStorage } from './storage.ts'
