/** The operations inside a transaction that the user began on a handle of their own. */

import { DurableExecutionError } from '../../base/errors.ts'
import { type DurableStorageTx } from '../contract.ts'
import { mainFile } from './connect.ts'
import { createOperations } from './operations.ts'
import { driverOf } from './options.ts'
import { type SqliteHandle, unguardedTx } from './session.ts'

// A handle is joined again and again: its prepared statements are kept as long as it lives.
const joined = new WeakMap<object, SqliteHandle>()

/**
 * Joins the transaction that is open on the handle.
 *
 * @param file - The file of the storage; the handle must have the same one open.
 */
export function joinTransaction(handle: object, file: string): DurableStorageTx {
  const connection = joined.get(handle) ?? connectionOf(handle)
  joined.set(handle, connection)
  const { driver } = connection
  if (!driver.isInTransaction()) {
    throw new DurableExecutionError(
      'Invalid transaction: no transaction is open on this handle. Begin one before the enqueue, and commit it after.',
      false,
    )
  }
  if (mainFile(driver) !== file) {
    throw new DurableExecutionError(
      `Invalid transaction: this handle has ${mainFile(driver) || 'a database in memory'} open, and the storage ${file || 'one in memory'}. ` +
        'Use a handle on the same file.',
      false,
    )
  }
  return unguardedTx(connection)
}

function connectionOf(handle: object): SqliteHandle {
  const driver = driverOf(handle, 'Invalid transaction: it')
  return { driver, operations: createOperations(driver) }
}
