/** A storage as somebody would write it who knows nothing but the four operations. */

import { type DurableStorage, type DurableStorageTx } from '../storage/contract.ts'

/**
 * Wraps a storage so that only `withTransaction` and the four operations are seen. Everything that uses
 * a storage must do the same on both, if more slowly on this one.
 *
 * @param storage - The storage to wrap; it is not closed with the wrapper.
 *
 * @category Testing
 */
export function hideOptionalMembers(storage: DurableStorage): DurableStorage {
  return {
    withTransaction: (fn) => storage.withTransaction((tx) => fn(fourOperations(tx))),
  }
}

function fourOperations(tx: DurableStorageTx): DurableStorageTx {
  return {
    insertTaskExecutions: (executions) => tx.insertTaskExecutions(executions),
    getTaskExecutionIds: (where, limit) => tx.getTaskExecutionIds(where, limit),
    getTaskExecutions: (where, limit) => tx.getTaskExecutions(where, limit),
    updateTaskExecutions: (where, update) => tx.updateTaskExecutions(where, update),
  }
}
