/** The one door to names: ids of executions, of executors and of leases. */

import { createHash } from 'node:crypto'

import { v7 } from 'uuid'

/** Draws ids. Those of one source are unique and, read as text, sort in the order they were drawn. */
export type IdSource = {
  /** An id for an execution: `te_` and 32 hexadecimal digits. */
  newExecutionId: () => string
  /** An id for a lease or an executor. */
  newId: () => string
}

const compactId = (): string => v7().replaceAll('-', '')

/** Time-ordered ids (UUID version 7): unguessable, and growing within one process even in one millisecond. */
export const systemIds: IdSource = {
  newExecutionId: () => `te_${compactId()}`,
  newId: compactId,
}

/** A short name that is the same wherever it is computed: 32 hexadecimal digits of SHA-256 over the parts. */
export function hashName(parts: Array<string>): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32)
}
