/**
 * Which executions are run apart. Executions that were lost together become due together, and would be lost together again:
 * one that kills its process would take whatever runs beside it along, until all of them have been lost too often. So what
 * was lost a few times in a row is a suspect, and of suspects a process runs one at a time, which shows whose fault it was.
 */

import { LIMITS } from '../base/limits.ts'
import { type LeanRow } from './execution.ts'

/** Whether the execution must not run beside another of its kind. */
export function isSuspect({ losses }: Pick<LeanRow, 'losses'>): boolean {
  return losses !== undefined && losses >= LIMITS.lossesUntilApart
}
