/** Copies of what messages carry. */

import { type ExecutionRow } from '../../machine/execution.ts'

/** A row without the texts that may be long. */
export function copyLean(row: ExecutionRow): Omit<ExecutionRow, 'runInput'> {
  const { childrenTasks: _c, runInput: _i, runOutput: _r, output: _o, ...lean } = row
  return copy(lean)
}

/** A message shares nothing with what its sender keeps. */
export function copy<T extends object>(fields: T): T {
  const copied: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields)) {
    copied[name] = copyValue(value)
  }
  return copied as T
}

function copyValue(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) {
    return value
  }
  if (value instanceof Date) {
    return new Date(value)
  }
  return Array.isArray(value) ? value.map(copyValue) : copy(value)
}
