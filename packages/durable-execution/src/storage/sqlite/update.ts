/** Changing rows: by a where clause, one by one under a guard, and the leases of what runs. */

import { type ExecutionUpdate } from '../../machine/execution.ts'
import {
  type DurableStorageGuardedUpdate,
  type DurableStorageRenew,
  type DurableStorageRenewed,
  type DurableTaskExecutionStorageWhere,
} from '../contract.ts'
import { cellAt, cellsOf, type SqlCells, toCells } from '../sql/cells.ts'
import { type SqlColumn, toSqlTime } from '../sql/fields.ts'
import { toSqlText } from '../sql/text.ts'
import { type AlikeUpdates, columnsSet, groupAlike, valueSet } from '../sql/updates.ts'
import { statusGuard, whereToSql } from '../sql/where.ts'
import { type SqliteDriver } from './driver.ts'
import { writeChildren } from './insert.ts'
import { EXECUTIONS_TABLE } from './schema.ts'
import { idsOf, isInTable, sqliteDialect, tableBy } from './statements.ts'

/** Changes the rows that match; gives their ids. */
export function updateRows(
  driver: SqliteDriver,
  where: DurableTaskExecutionStorageWhere,
  update: ExecutionUpdate,
): Array<string> {
  const found = whereToSql(where, sqliteDialect)
  if (found === null) {
    return []
  }
  const columns = columnsSet(update).filter(isInTable)
  const values = columns.map((column) => valueSet(update, column))
  const children = childrenText(update)
  const ids = idsOf(
    driver
      .prepare(
        `update ${EXECUTIONS_TABLE} set ${settings(columns)}
          where seq in (select seq from ${tableBy(found.path)} where ${found.condition})
          returning execution_id`,
      )
      .all([...values, ...found.values]),
  )
  if (children !== undefined) {
    for (const executionId of ids) {
      writeChildren(driver, executionId, children)
    }
  }
  return ids
}

/** Changes each row whose guard holds; gives the ids of those. */
export function updateRowsGuarded(
  driver: SqliteDriver,
  updates: ReadonlyArray<DurableStorageGuardedUpdate>,
): Array<string> {
  // What cannot be stored is refused before anything is written.
  const groups = groupAlike(updates).map(prepareGroup)
  const changed: Array<string> = []
  for (const { alike, sql, cells, children } of groups) {
    const statement = driver.prepare(sql)
    for (const [index, { executionId }] of alike.members.entries()) {
      if (statement.run(cells.map((own) => cellAt(own, index))) > 0) {
        changed.push(executionId)
        const text = children?.[index]
        if (text !== undefined) {
          writeChildren(driver, executionId, text)
        }
      }
    }
  }
  return changed
}

/** Moves the lapse of each lease that still holds; gives those. */
export function renewRows(driver: SqliteDriver, renew: DurableStorageRenew): Array<DurableStorageRenewed> {
  const statement = driver.prepare(
    `update ${EXECUTIONS_TABLE} set expires_at = ?, updated_at = ?
      where execution_id = ? and ${statusGuard(['running'])} and lease_id = ?`,
  )
  const expiresAt = toSqlTime(renew.expiresAt)
  const now = toSqlTime(renew.now)
  return renew.leases
    .filter(
      ({ executionId, leaseId }) =>
        statement.run([expiresAt, now, toSqlText(executionId), toSqlText(leaseId)]) > 0,
    )
    .map(({ executionId }) => ({ executionId }))
}

function prepareGroup(alike: AlikeUpdates): {
  alike: AlikeUpdates
  sql: string
  cells: Array<SqlCells>
  children: Array<string | undefined> | undefined
} {
  const { members, guard, hasLease } = alike
  const columns = alike.columns.filter(isInTable)
  const updates = members.map(({ update }) => update)
  const cells = columns.map((column) => cellsOf(column, updates))
  cells.push(toCells(members.map(({ executionId }) => toSqlText(executionId))))
  let condition = 'execution_id = ?'
  if (guard !== '') {
    condition += ` and ${guard}`
  }
  if (hasLease) {
    condition += ' and lease_id = ?'
    cells.push(toCells(members.map(({ leaseId = '' }) => toSqlText(leaseId))))
  }
  return {
    alike,
    sql: `update ${EXECUTIONS_TABLE} set ${settings(columns)} where ${condition}`,
    cells,
    children: columns.length === alike.columns.length ? undefined : updates.map(childrenText),
  }
}

function settings(columns: ReadonlyArray<SqlColumn>): string {
  return columns.map(({ name }) => `${name} = ?`).join(', ')
}

function childrenText(update: ExecutionUpdate): string | undefined {
  return update.childrenTasks === undefined ? undefined : JSON.stringify(update.childrenTasks)
}
