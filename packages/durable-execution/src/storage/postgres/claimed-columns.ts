/** The columns of a claimed row: what is as it is in most rows was not sent. */

import { type SqlValue } from '../sql/fields.ts'
import { CLAIMED_COLUMNS } from '../sql/rows.ts'
import { USUALLY_ZERO } from './claims-texts.ts'

const START_AT = indexOf('start_at')
const STARTED_AT = indexOf('started_at')
const CREATED_AT = indexOf('created_at')
const EXECUTION_ID = indexOf('execution_id')
const PRIORITY_AT = indexOf('priority')
const ZEROS = CLAIMED_COLUMNS.flatMap(({ name }, index) => (USUALLY_ZERO.has(name) ? [index] : []))

/** When the row could be claimed at the earliest. */
export function startAtOf(values: ReadonlyArray<SqlValue>): number {
  return Number(values[START_AT])
}

/** The priority of the row. */
export function priorityOf(values: ReadonlyArray<SqlValue>): number {
  return Number(values[PRIORITY_AT] ?? 0)
}

/** Whether it says that a row before it is not taken after all. */
export function isTakenBack(values: ReadonlyArray<SqlValue>): boolean {
  return values[EXECUTION_ID] === null
}

/** Puts back what was not sent. None of these columns is ever null in a claimed row. */
export function fillUsual(values: Array<SqlValue>, nowMs: number): void {
  for (const index of ZEROS) {
    values[index] ??= 0
  }
  values[STARTED_AT] ??= nowMs
  values[CREATED_AT] ??= values[START_AT] ?? null
}

function indexOf(column: string): number {
  return CLAIMED_COLUMNS.findIndex(({ name }) => name === column)
}
