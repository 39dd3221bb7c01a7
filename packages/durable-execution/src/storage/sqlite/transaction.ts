/** Transactions on one connection: begin, commit, and what can go wrong with either. */

import { nextTurn, systemClock } from '../../base/clock.ts'
import { DurableExecutionError } from '../../base/errors.ts'
import { assertNoForeignTransaction, retryWhileBusy } from './busy.ts'
import { type SqliteDriver } from './driver.ts'

/** Begins a transaction that holds the write lock from the start: a lock asked for later cannot be waited for. */
export async function begin(driver: SqliteDriver): Promise<void> {
  // From a turn of its own, in which nothing else is left to run: what is awaited between here and the
  // commit is done at once, so no code of the user's can find the database locked by its own process.
  await nextTurn(systemClock)
  await retryWhileBusy(driver, () => beginNow(driver))
}

/** Commits. Rejects, and leaves no transaction, where that fails. */
export async function commit(driver: SqliteDriver): Promise<void> {
  try {
    await retryWhileBusy(driver, () => commitNow(driver))
  } catch (error) {
    rollback(driver)
    throw error
  }
}

/** Does the work in a transaction, and awaits nothing from its begin to its commit, unless that must wait for somebody. */
export async function runInTransaction<T>(driver: SqliteDriver, work: () => T): Promise<T> {
  // Only the begin is made again: an error of the work goes to whoever asked for it.
  const done = await retryWhileBusy(driver, () => {
    beginNow(driver)
    return doneNow(driver, work)
  })
  if (done.kind === 'failed') {
    throw done.error
  }
  if (done.kind === 'open') {
    await commit(driver)
  }
  return done.answer
}

type Done<T> =
  | { kind: 'committed'; answer: T }
  /** Somebody else's lock keeps it from being committed just now. */
  | { kind: 'open'; answer: T }
  /** It is rolled back. */
  | { kind: 'failed'; error: unknown }

function doneNow<T>(driver: SqliteDriver, work: () => T): Done<T> {
  let done: { answer: T } | undefined
  try {
    done = { answer: work() }
    commitNow(driver)
    return { kind: 'committed', ...done }
  } catch (error) {
    if (done !== undefined && driver.isBusyError(error)) {
      return { kind: 'open', ...done }
    }
    rollback(driver)
    return { kind: 'failed', error }
  }
}

function beginNow(driver: SqliteDriver): void {
  assertNoForeignTransaction(driver)
  driver.prepare('begin immediate').run([])
}

function commitNow(driver: SqliteDriver): void {
  if (!driver.isInTransaction()) {
    throw new DurableExecutionError('The transaction was ended by somebody else, so nothing was committed')
  }
  driver.prepare('commit').run([])
}

/** Ends the transaction without a trace. SQLite has done so by itself after some errors, such as a full disk. */
export function rollback(driver: SqliteDriver): void {
  if (!driver.isOpen() || !driver.isInTransaction()) {
    return
  }
  try {
    driver.prepare('rollback').run([])
  } catch {
    // The error that led here is the one to tell. The next begin finds the transaction still there.
  }
}

/** Does it in a transaction of its own. */
export async function inImmediateTransaction(driver: SqliteDriver, work: () => void): Promise<void> {
  await begin(driver)
  try {
    work()
  } catch (error) {
    rollback(driver)
    throw error
  }
  await commit(driver)
}
