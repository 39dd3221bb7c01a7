/** Rows as lists of columns, and back. */

import { type ExecutionRow, type ExecutionUpdate, type HeavyField } from '../../machine/execution.ts'
import { SQL_FIELDS, type SqlField, type SqlValue } from './fields.ts'

const HEAVY: Record<HeavyField, true> = { childrenTasks: true, runInput: true, runOutput: true, output: true }

/** The fields of a row that is read without what grows with a task's own payloads. */
export const LEAN_FIELDS: ReadonlyArray<SqlField> = SQL_FIELDS.filter((field) => !(field.name in HEAVY))

/** The fields asked for, in the order of the row's type, `executionId` among them. */
export function fieldsNamed(names: ReadonlyArray<keyof ExecutionRow>): Array<SqlField> {
  const asked = new Set<keyof ExecutionRow>([...names, 'executionId'])
  return SQL_FIELDS.filter((field) => asked.has(field.name))
}

/** The fields that at least one of the rows has: an insert names no others. */
export function fieldsPresent(
  rows: ReadonlyArray<ExecutionRow>,
  among: ReadonlyArray<SqlField>,
): Array<SqlField> {
  return among.filter((field) => rows.some((row) => row[field.name] !== undefined))
}

/** Reads a row of which the given fields were asked for. What is null in the database is absent in the row. */
export function readRow(
  fields: ReadonlyArray<SqlField>,
  values: ReadonlyArray<SqlValue>,
): Partial<ExecutionRow> {
  const row: Record<string, unknown> = {}
  let at = 0
  for (const field of fields) {
    const value = field.read(values, at)
    if (value !== undefined) {
      row[field.name] = value
    }
    at += field.columns.length
  }
  return row
}

/** A change of some columns: which, and to what. The same fields give the same list of columns. */
export type SqlAssignments = { columns: Array<string>; values: Array<SqlValue> }

/** The update as assignments, of the given fields. What is `undefined` is left as it is; `unset…` wins over a value. */
export function assignmentsOf(update: ExecutionUpdate, among: ReadonlyArray<SqlField>): SqlAssignments {
  const columns: Array<string> = []
  const values: Array<SqlValue> = []
  for (const field of among) {
    const isUnset =
      (field.name === 'error' && update.unsetError === true) ||
      (field.name === 'expiresAt' && update.unsetExpiresAt === true)
    const value = isUnset ? undefined : update[field.name as keyof ExecutionUpdate]
    if (isUnset || value !== undefined) {
      columns.push(...field.columns)
      field.write(values, value)
    }
  }
  return { columns, values }
}
