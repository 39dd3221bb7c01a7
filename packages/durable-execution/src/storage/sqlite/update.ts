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
import {
  type AlikeUpdates,
  aloneOf,
  columnsSet,
  groupAlike,
  GuardedStatements,
  valueSet,
} from '../sql/updates.ts'
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

/** Whether the update is one statement: of one row whose list of children stays as it is. */
export function isPlainUpdate(updates: ReadonlyArray<DurableStorageGuardedUpdate>): boolean {
  return updates.length === 1 && updates[0]?.update.childrenTasks === undefined
}

/** Changes each row whose guard holds; gives the ids of those. */
export function updateRowsGuarded(
  driver: SqliteDriver,
  updates: ReadonlyArray<DurableStorageGuardedUpdate>,
): Array<string> {
  const [only] = updates
  if (only !== undefined && isPlainUpdate(updates)) {
    return updateRow(driver, only) ? [only.executionId] : []
  }
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

/** Whether the row was changed. */
function updateRow(driver: SqliteDriver, one: DurableStorageGuardedUpdate): boolean {
  const alike = aloneOf(one)
  if (alike === undefined) {
    return false
  }
  const { executionId, leaseId, update } = one
  const values = alike.columns.map((column) => valueSet(update, column))
  values.push(toSqlText(executionId))
  if (leaseId !== undefined) {
    values.push(toSqlText(leaseId))
  }
  return driver.prepare(TEXTS.of(alike)).run(values) > 0
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
  const { members, hasLease } = alike
  const columns = alike.columns.filter(isInTable)
  const updates = members.map(({ update }) => update)
  const cells = columns.map((column) => cellsOf(column, updates))
  cells.push(toCells(members.map(({ executionId }) => toSqlText(executionId))))
  if (hasLease) {
    cells.push(toCells(members.map(({ leaseId = '' }) => toSqlText(leaseId))))
  }
  return {
    alike,
    sql: TEXTS.of(alike),
    cells,
    children: columns.length === alike.columns.length ? undefined : updates.map(childrenText),
  }
}

const TEXTS = new GuardedStatements(({ columns, guard, hasLease }) => {
  const set = settings(columns.filter(isInTable))
  const isGuarded = guard === '' ? '' : ` and ${guard}`
  const isHeld = hasLease ? ' and lease_id = ?' : ''
  return `update ${EXECUTIONS_TABLE} set ${set} where execution_id = ?${isGuarded}${isHeld}`
})

function settings(columns: ReadonlyArray<SqlColumn>): string {
  return columns.map(({ name }) => `${name} = ?`).join(', ')
}

function childrenText(update: ExecutionUpdate): string | undefined {
  return update.childrenTasks === undefined ? undefined : JSON.stringify(update.childrenTasks)
}
