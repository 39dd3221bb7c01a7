/** The parts of Postgres statements: which columns are read, how ids and limits are handed over. */

import { HEAVY_COLUMNS, SQL_COLUMNS, type SqlColumn, type SqlValue } from '../sql/fields.ts'
import { fromSqlText, toSqlText } from '../sql/text.ts'
import { type SqlDialect } from '../sql/where.ts'
import { bind, bindTexts } from './columns.ts'
import { type Given } from './driver.ts'
import { PRIORITY } from './tables.ts'

/** How Postgres takes values in a where clause. */
export const postgresDialect: SqlDialect = {
  bind: (values, value) => bind(values, value),
  isAmong: (values, executionIds) => `execution_id = any(${bindIds(values, executionIds)})`,
  priority: PRIORITY,
}

/** Adds ids, which are not empty, to the values; gives the array that they are in the statement. */
export function bindIds(values: Array<Given>, executionIds: ReadonlyArray<string>): string {
  return bindTexts(values, executionIds.map(toSqlText))
}

/** What a select, or `returning`, names to read the columns. */
export function columnsOf(columns: ReadonlyArray<SqlColumn>, table = ''): string {
  const prefix = table === '' ? '' : `${table}.`
  return columns.map(({ name }) => prefix + name).join(', ')
}

/** All columns. */
export const WHOLE: string = columnsOf(SQL_COLUMNS)

/** All columns, the heavy ones as null. */
export const LEAN: string = SQL_COLUMNS.map((column) =>
  HEAVY_COLUMNS.has(column) ? `null as ${column.name}` : column.name,
).join(', ')

/**
 * The condition that the row `e` is under the lease. A row without one is under none, not even one whose id is empty: no
 * text is kept as an escape alone.
 */
export function isUnderLease(lease: string | undefined): string {
  return `coalesce(e.lease_id, E'\\x1b') = ${lease}`
}

/** The part of a statement that limits its rows; an empty text for no limit. */
export function limitText(values: Array<Given>, limit: number | undefined): string {
  const whole = wholeLimit(limit)
  return whole === null ? '' : `limit ${bind(values, whole)}::bigint`
}

/** The limit as it is handed over; null for none. */
export function wholeLimit(limit: number | undefined): number | null {
  return limit === undefined || !(limit >= 0) || limit > Number.MAX_SAFE_INTEGER ? null : Math.floor(limit)
}

/** The ids that stand in the first column of the rows. */
export function idsOf(rows: ReadonlyArray<ReadonlyArray<SqlValue>>): Array<string> {
  return rows.map((row) => fromSqlText(row[0] as string))
}

/**
 * Each id once, the last one first: the order in which rows are locked, everywhere. A child's id is most often larger
 * than its parent's, so children come first.
 */
export function inLockOrder(executionIds: ReadonlyArray<string>): Array<string> {
  return [...new Set(executionIds)].toSorted().toReversed()
}
