/** What a damaged storage may give, and the engine never wrote. */

import { DurableExecutionError } from '../base/errors.ts'
import { type ExecutionRow, type LeanRow } from './execution.ts'
import { ALL_STATUSES } from './status.ts'

/** Throws where the row has a status that nobody wrote, as a damaged storage gives it: no rule is for that. */
export function assertKnownStatus({ executionId, status }: LeanRow): void {
  if (!ALL_STATUSES.includes(status)) {
    throw new DurableExecutionError(
      `Execution ${executionId} has the unknown status ${status}: its row is damaged`,
      false,
    )
  }
}

/**
 * What of a row that is to be run is nothing that the engine writes, if anything: only a damaged storage gives it. To
 * run by it could mean to retry without end.
 */
export function damagedField(row: ExecutionRow): keyof ExecutionRow | undefined {
  if (!(row.retryOptions.maxAttempts >= 0)) {
    return 'retryOptions'
  }
  if (!(row.retryAttempts >= 0)) {
    return 'retryAttempts'
  }
  if (!(row.timeoutMs >= 1)) {
    return 'timeoutMs'
  }
  return typeof row.runInput === 'string' ? undefined : 'runInput'
}
