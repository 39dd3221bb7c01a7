/** Updates with a limit, from the operations that every storage has. */

import { type DurableTaskExecutionStorageObjectUpdate } from '../machine/execution.ts'
import { type DurableStorageTx, type DurableTaskExecutionStorageWhere } from './contract.ts'

/**
 * Updates at most `limit` of the executions that match: finds them, then updates those found that
 * still match the clause's `statuses` and `needsPromiseCancellation`.
 *
 * @returns The ids of those that were updated.
 *
 * @category Storage
 */
export async function updateTaskExecutionsWithLimit(
  tx: DurableStorageTx,
  where: DurableTaskExecutionStorageWhere,
  update: DurableTaskExecutionStorageObjectUpdate,
  limit?: number,
): Promise<Array<string>> {
  if (limit === undefined || !(limit >= 0)) {
    return await tx.updateTaskExecutions(where, update)
  }
  if (limit === 0) {
    return []
  }
  const executionIds = await tx.getTaskExecutionIds(where, limit)
  if (executionIds.length === 0) {
    return []
  }
  return await tx.updateTaskExecutions(
    {
      type: 'by_execution_ids',
      executionIds,
      ...(where.statuses === undefined ? {} : { statuses: where.statuses }),
      ...(where.type === 'by_execution_ids' && where.needsPromiseCancellation !== undefined
        ? { needsPromiseCancellation: where.needsPromiseCancellation }
        : {}),
    },
    update,
  )
}
