/** The priority of an execution: how a row gets it, and who comes first. */

import { type ExecutionRow } from './execution.ts'

/** Gives a new row the priority that was asked for. One of 0 is not written: most rows have none. */
export function setPriority(row: ExecutionRow, priority: number | undefined): void {
  if (priority !== undefined && priority !== 0) {
    row.priority = priority
  }
}

/** The rows with the highest priority first; those of one priority stay in their order. */
export function highestFirst<R extends Pick<ExecutionRow, 'priority'>>(
  rows: ReadonlyArray<R>,
): ReadonlyArray<R> {
  return rows.some(({ priority }) => priority !== undefined)
    ? rows.toSorted((a, b) => (b.priority ?? 0) - (a.priority ?? 0))
    : rows
}
