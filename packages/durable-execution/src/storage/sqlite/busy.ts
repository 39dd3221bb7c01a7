/** Waiting for a lock that another connection holds, without blocking the process. */

import { sleep, systemClock } from '../../base/clock.ts'
import { DurableExecutionError } from '../../base/errors.ts'
import { systemRandom } from '../../base/random.ts'
import { type SqliteDriver } from './driver.ts'

/** How long SQLite itself waits for a lock, in milliseconds; meanwhile nothing else in the process runs. */
export const BUSY_TIMEOUT_MS = 2

// Locks are held for a few milliseconds, the time of a transaction: short pauses, drawn at random, give
// each of many processes its turn.
const PAUSE_MS = 2
const LONGEST_PAUSE_MS = 50

/** How long a lock is waited for before the driver's own error is passed on, in milliseconds. */
const GIVE_UP_MS = 10_000

/**
 * Does it, again and again while the database is busy, up to ten seconds; then rejects with the driver's
 * error. A transaction of the user's own on the connection counts as busy.
 */
export async function retryWhileBusy<T>(driver: SqliteDriver, attempt: () => T): Promise<T> {
  let giveUpAt: number | undefined
  let longestMs = PAUSE_MS
  for (;;) {
    try {
      return attempt()
    } catch (error) {
      giveUpAt ??= systemClock.monotonicNow() + GIVE_UP_MS
      if (!isBusy(driver, error) || systemClock.monotonicNow() >= giveUpAt) {
        throw error
      }
    }
    await sleep(systemClock, 1 + systemRandom() * longestMs)
    longestMs = Math.min(longestMs * 2, LONGEST_PAUSE_MS)
  }
}

/** Thrown, and waited out, where the user's own handle is in a transaction of the user's own. */
export function assertNoForeignTransaction(driver: SqliteDriver): void {
  if (driver.isInTransaction()) {
    throw new ForeignTransactionError()
  }
}

class ForeignTransactionError extends DurableExecutionError {
  constructor() {
    super('The `database` of the SQLite storage is in a transaction that was begun elsewhere. End it first')
  }
}

function isBusy(driver: SqliteDriver, error: unknown): boolean {
  return error instanceof ForeignTransactionError || driver.isBusyError(error)
}
