/** A transaction that code of the user's shares: its statements on the handle first, then ours, then one commit. */

import { endsWithin, systemClock } from '../../base/clock.ts'
import { DurableExecutionError, DurableExecutionTimedOutError, messageOf } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { type DurableStorageTx } from '../contract.ts'
import { type SqliteDriver } from './driver.ts'
import { HandleGuard } from './handle-guard.ts'
import { Session, type SqliteConnection, wrapOperations } from './session.ts'
import { begin, commit, rollback } from './transaction.ts'

type Use<T> = (transaction: object) => Promise<T>

/** Runs `use`, then `keep`, between BEGIN IMMEDIATE and COMMIT. */
export async function runShared<T>(
  { driver, operations }: SqliteConnection,
  use: Use<T>,
  keep: (tx: DurableStorageTx, value: T) => Promise<void>,
): Promise<T> {
  await begin(driver)
  const guard = new HandleGuard(driver)
  const session = new Session()
  let value: T
  try {
    value = await usedInTime(use, guard.handle)
    guard.end()
    await keep(wrapOperations(operations, session), value)
    session.end()
  } catch (error) {
    guard.drop()
    session.abandon()
    rollback(driver)
    throw guard.rejectionOf(error)
  }
  await commitShared(driver)
  return value
}

// Nobody writes meanwhile, here or in another process: not even that a run is alive, or what its function may be waiting for.
async function usedInTime<T>(use: Use<T>, handle: object): Promise<T> {
  const limitMs = LIMITS.sharedTransactionMs
  const using = use(handle)
  if (!(await endsWithin(systemClock, using, limitMs))) {
    throw new DurableExecutionTimedOutError(
      `The function of the transaction took longer than ${limitMs} ms (limit: sharedTransactionMs), in which nobody else could write. ` +
        'Wait for nothing inside it, and for no other call of ctx or the executor: do that before, in a step.',
    )
  }
  return await using
}

/** Commits. Some constraints of the user's tables are checked only here. */
async function commitShared(driver: SqliteDriver): Promise<void> {
  try {
    await commit(driver)
  } catch (error) {
    throw driver.isConstraintError(error)
      ? new DurableExecutionError(`The transaction cannot be committed: ${messageOf(error)}`, true, {
          cause: error,
        })
      : error
  }
}
