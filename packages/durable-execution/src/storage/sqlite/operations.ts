/** What a transaction can do, on one connection. Everything is done at once; nothing waits. */

import { type ExecutionRow } from '../../machine/execution.ts'
import {
  type DurableStorageGuardedUpdate,
  type DurableStorageTx,
  type DurableTaskExecutionStorageWhere,
} from '../contract.ts'
import { type SqlValue } from '../sql/fields.ts'
import { fieldsNamed, readFields, readRows } from '../sql/rows.ts'
import { toSqlText } from '../sql/text.ts'
import { PARTIAL_INDEX_CONDITIONS, whereToRead } from '../sql/where.ts'
import { type SqliteDriver } from './driver.ts'
import { insertMissingRows, insertRows, isPlainInsert } from './insert.ts'
import { BELOW_INDEX, EXECUTIONS_TABLE } from './schema.ts'
import { columnsOf, idsOf, LEAN, sqliteDialect, tableBy, toSqlLimit, WHOLE } from './statements.ts'
import { claimRows } from './claim.ts'
import { isPlainUpdate, renewRows, updateRows, updateRowsGuarded } from './update.ts'

/** What a transaction of this storage has: the whole contract. */
export type SqliteOperations = Required<DurableStorageTx>

/** The operations that only read, each by one statement. */
export const READS: ReadonlySet<keyof SqliteOperations> = new Set<keyof SqliteOperations>([
  'getTaskExecutionIds',
  'getTaskExecutions',
  'getTaskExecutionFields',
  'getTaskExecutionsInIdRanges',
  'getTaskExecutionIdsBelow',
])

/** Whether the call is one statement that changes something, and so needs no transaction around it. */
export function isOneStatement(name: keyof SqliteOperations, [given]: ReadonlyArray<unknown>): boolean {
  switch (name) {
    case 'insertTaskExecutions':
      return isPlainInsert(given as Array<ExecutionRow>)
    case 'updateTaskExecutionsBatch':
      return isPlainUpdate(given as Array<DurableStorageGuardedUpdate>)
    default:
      return false
  }
}

/** The operations on that connection. Whoever calls them sees to the transaction. */
export function createOperations(driver: SqliteDriver): SqliteOperations {
  return {
    insertTaskExecutions: (executions) => {
      if (executions.length > 0) {
        insertRows(driver, executions)
      }
    },
    insertTaskExecutionsIfMissing: (executions) => insertMissingRows(driver, executions),
    getTaskExecutionIds: (where, limit) => idsOf(select(driver, where, 'execution_id', limit)),
    getTaskExecutions: (where, limit) => readRows(select(driver, where, WHOLE, limit)),
    updateTaskExecutions: (where, update) => updateRows(driver, where, update),
    claimTaskExecutions: (claim) => claimRows(driver, claim),
    updateTaskExecutionsBatch: (updates) => updateRowsGuarded(driver, updates),
    // The transaction holds the only write lock there is: nothing is left to lock.
    lockTaskExecutions: (executionIds, options) =>
      readRows(selectByIds(driver, executionIds, options?.isLean === true ? LEAN : WHOLE)),
    getTaskExecutionFields: (executionIds, names) => {
      const fields = fieldsNamed(names)
      const columns = columnsOf(fields.flatMap((field) => field.columns))
      return selectByIds(driver, executionIds, columns).map((values) => readFields(fields, values))
    },
    renewTaskExecutions: (renew) => renewRows(driver, renew),
    getTaskExecutionsInIdRanges: (ranges) =>
      readRows(
        ranges.flatMap(({ from, to }) =>
          driver
            .prepare(`select ${WHOLE} from ${tableBy('ids')} where execution_id >= ? and execution_id < ?`)
            .all([toSqlText(from), toSqlText(to)]),
        ),
      ),
    getTaskExecutionIdsBelow: (parentExecutionId, limit) =>
      idsOf(
        driver
          .prepare(
            `select execution_id from ${EXECUTIONS_TABLE} indexed by ${BELOW_INDEX}
              where parent_execution_id = ? and ${PARTIAL_INDEX_CONDITIONS.below} order by seq limit ?`,
          )
          .all([toSqlText(parentExecutionId), toSqlLimit(limit)]),
      ),
  }
}

function select(
  driver: SqliteDriver,
  where: DurableTaskExecutionStorageWhere,
  columns: string,
  limit?: number,
): Array<Array<SqlValue>> {
  const found = whereToRead(where, sqliteDialect)
  if (found === null) {
    return []
  }
  // Several parts are merged in their common order, which must then be among the columns.
  const read = found.parts.length === 1 ? columns : `${columns}, ${found.order}`
  const parts = found.parts.map(
    ({ condition, path }) => `select ${read} from ${tableBy(path)} where ${condition}`,
  )
  return driver
    .prepare(`${parts.join(' union all ')} order by ${found.order} limit ?`)
    .all([...found.values, toSqlLimit(limit)])
}

function selectByIds(
  driver: SqliteDriver,
  executionIds: Array<string>,
  columns: string,
): Array<Array<SqlValue>> {
  return select(driver, { type: 'by_execution_ids', executionIds }, columns)
}
