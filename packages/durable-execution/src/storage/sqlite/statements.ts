/** The parts of SQLite statements: which columns are read, through which index, how values are handed over. */

import { HEAVY_COLUMNS, SQL_COLUMNS, type SqlColumn, type SqlValue } from '../sql/fields.ts'
import { CLAIMED_COLUMNS } from '../sql/rows.ts'
import { fromSqlText, toSqlText } from '../sql/text.ts'
import { type SqlDialect, type SqlPath } from '../sql/where.ts'
import { CHILDREN_TABLE, EXECUTIONS_TABLE, INDEX_OF_PATH, PRIORITY } from './schema.ts'

/** Whether the column is one of the table; the list of children has a table of its own. */
export function isInTable({ field }: SqlColumn): boolean {
  return field !== 'childrenTasks'
}

/** How SQLite takes values: by position, a list of ids of any length as one JSON text. */
export const sqliteDialect: SqlDialect = {
  bind: (values, value) => {
    values.push(value)
    return '?'
  },
  isAmong: (values, executionIds) => {
    const [only] = executionIds
    if (executionIds.length === 1 && only !== undefined) {
      values.push(toSqlText(only))
      return 'execution_id = ?'
    }
    values.push(JSON.stringify(executionIds.map(toSqlText)))
    return 'execution_id in (select value from json_each(?))'
  },
  priority: PRIORITY,
}

/** What a select, or `returning`, names to read the columns. */
export function columnsOf(columns: ReadonlyArray<SqlColumn>): string {
  return columns.map((column) => (isInTable(column) ? column.name : CHILDREN)).join(', ')
}

const CHILDREN = `(select children_tasks from ${CHILDREN_TABLE} where seq = ${EXECUTIONS_TABLE}.seq)`

/** All columns. */
export const WHOLE: string = columnsOf(SQL_COLUMNS)

/** All columns, the heavy ones as null. */
export const LEAN: string = SQL_COLUMNS.map((column) =>
  HEAVY_COLUMNS.has(column) ? 'null' : column.name,
).join(', ')

/** All columns but those that a claim sets. */
export const CLAIMED: string = columnsOf(CLAIMED_COLUMNS)

/** The table, read through the index of that path. */
export function tableBy(path: SqlPath): string {
  return path === 'all' ? EXECUTIONS_TABLE : `${EXECUTIONS_TABLE} indexed by ${INDEX_OF_PATH[path]}`
}

/** The number of rows asked for, as SQLite takes it: -1 for no limit. */
export function toSqlLimit(limit: number | undefined): number {
  return limit === undefined || !(limit >= 0) || limit === Number.POSITIVE_INFINITY ? -1 : Math.floor(limit)
}

/** The ids that stand in the first column of the rows. */
export function idsOf(rows: ReadonlyArray<ReadonlyArray<SqlValue>>): Array<string> {
  return rows.map((row) => fromSqlText(row[0] as string))
}
