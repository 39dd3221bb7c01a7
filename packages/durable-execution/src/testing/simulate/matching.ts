/** Which rows a clause finds, and in which order: over plain rows, one by one. */

import { type ExecutionRow } from '../../machine/execution.ts'
import { type DurableTaskExecutionStorageWhere } from '../../storage/contract.ts'

/** Whether the row is what the clause asks for. */
export function matches(row: ExecutionRow, where: DurableTaskExecutionStorageWhere): boolean {
  switch (where.type) {
    case 'by_execution_ids':
      return (
        where.executionIds.includes(row.executionId) &&
        (where.statuses === undefined || where.statuses.includes(row.status)) &&
        (where.needsPromiseCancellation === undefined ||
          where.needsPromiseCancellation === row.needsPromiseCancellation)
      )
    case 'by_statuses':
      return (
        where.statuses.includes(row.status) &&
        (where.isClosed === undefined || where.isClosed === row.isClosed) &&
        (where.expiresAtLessThan === undefined ||
          (row.expiresAt !== undefined && row.expiresAt < where.expiresAtLessThan))
      )
    case 'by_start_at_less_than':
      return where.statuses.includes(row.status) && row.startAt < where.startAtLessThan
  }
}

/** The rows in the order of the clause; they come in that of their insertion. */
export function inOrder(
  rows: Array<ExecutionRow>,
  where: DurableTaskExecutionStorageWhere,
): Array<ExecutionRow> {
  switch (where.type) {
    case 'by_execution_ids':
      return rows
    case 'by_statuses':
      return where.expiresAtLessThan === undefined
        ? rows
        : rows.toSorted((a, b) => (a.expiresAt?.getTime() ?? 0) - (b.expiresAt?.getTime() ?? 0))
    case 'by_start_at_less_than':
      return rows.toSorted((a, b) => a.startAt.getTime() - b.startAt.getTime())
  }
}

/** The first of them; a limit that is none, or below 0, is no limit. */
export function atMost<T>(items: Array<T>, limit: number | undefined): Array<T> {
  return limit !== undefined && limit >= 0 ? items.slice(0, limit) : items
}
