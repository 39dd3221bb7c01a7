/** The entry `durable-execution/sqlite`: a storage that keeps its rows in SQLite. */

export { type BetterSqlite3Database } from './better-driver.ts'
export { type NodeSqliteDatabase } from './node-driver.ts'
export { type SqliteStorageOptions, type SqliteStorageSource } from './options.ts'
export { createSqliteStorage, type SqliteStorage } from './storage.ts'
