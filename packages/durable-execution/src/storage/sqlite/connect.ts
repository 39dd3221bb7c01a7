/** Opens the connection and sets what the storage needs of it. */

import { BUSY_TIMEOUT_MS, assertNoForeignTransaction, retryWhileBusy } from './busy.ts'
import { type SqliteDriver } from './driver.ts'
import { type CheckedOptions } from './options.ts'

// What is left of the write-ahead log after a checkpoint. A long transaction or reader makes it grow.
const WAL_BYTES = 64 * 1024 * 1024

// Pages kept in memory: indexes of some hundred thousand rows stay there.
const CACHE_KIB = 64 * 1024

/** Opens, or takes, the connection. Waits while others hold locks. */
export async function connect(options: CheckedOptions): Promise<SqliteDriver> {
  const driver = options.connect()
  try {
    if (options.isOwn) {
      driver.exec(`pragma busy_timeout = ${BUSY_TIMEOUT_MS}`)
    }
    // Any setting may read the file, which is locked while another process puts it into WAL mode.
    await retryWhileBusy(driver, () => {
      assertNoForeignTransaction(driver)
      if (options.isOwn) {
        driver.exec(`pragma cache_size = -${CACHE_KIB}; pragma temp_store = memory`)
        driver.exec(`pragma journal_size_limit = ${WAL_BYTES}`)
      }
      setDurability(driver, options.synchronous)
    })
  } catch (error) {
    if (options.isOwn) {
      driver.close()
    }
    throw error
  }
  return driver
}

/** Whether the rows are in a file, which other connections may change too. */
export function isInFile(driver: SqliteDriver): boolean {
  return mainFile(driver) !== ''
}

/** The file that the connection has open; empty for a database in memory. */
export function mainFile(driver: SqliteDriver): string {
  const [main] = driver.prepare(`select file from pragma_database_list where name = 'main'`).all([])
  return String(main?.[0] ?? '')
}

function setDurability(driver: SqliteDriver, synchronous: 'FULL' | 'NORMAL'): void {
  // Set always: better-sqlite3 is built to be less strict as soon as there is a write-ahead log.
  driver.exec(`pragma synchronous = ${synchronous}`)
  if (isInFile(driver)) {
    const [mode] = driver.prepare('pragma journal_mode').all([])
    if (mode?.[0] !== 'wal') {
      driver.exec('pragma journal_mode = wal')
    }
  }
}
