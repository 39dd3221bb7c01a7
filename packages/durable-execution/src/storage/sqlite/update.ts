/** Changing rows: by a where clause, one by one under a guard, and the two changes that come most often. */

import { type ExecutionRow, type ExecutionUpdate } from '../../machine/execution.ts'
import {
  type DurableStorageClaim,
  type DurableStorageGuardedUpdate,
  type DurableStorageRenew,
  type DurableStorageRenewed,
  type DurableTaskExecutionStorageWhere,
} from '../contract.ts'
import { SQL_FIELDS, type SqlValue, toSqlTime } from '../sql/fields.ts'
import { assignmentsOf, readRow } from '../sql/rows.ts'
import { toSqlText } from '../sql/text.ts'
import { PARTIAL_INDEX_CONDITIONS, statusGuard, whereToSql } from '../sql/where.ts'
import { type SqliteDriver } from './driver.ts'
import { writeChildren } from './insert.ts'
import { EXECUTIONS_TABLE } from './schema.ts'
import { columnsOf, idsOf, sqliteDialect, tableBy, TABLE_FIELDS, toSqlLimit } from './statements.ts'

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
  const { columns, values } = assignmentsOf(update, TABLE_FIELDS)
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
  const changes = updates.map((one) => ({ ...guardedUpdate(one), children: childrenText(one.update) }))
  const changed: Array<string> = []
  for (const { executionId, sql, values, children } of changes) {
    if (driver.prepare(sql).run(values) > 0) {
      changed.push(executionId)
      if (children !== undefined) {
        writeChildren(driver, executionId, children)
      }
    }
  }
  return changed
}

/** Takes the earliest due rows of the tasks; gives them as they are then. */
export function claimRows(driver: SqliteDriver, claim: DurableStorageClaim): Array<ExecutionRow> {
  const now = toSqlTime(claim.now)
  const expiresAt = toSqlTime(claim.expiresAt)
  const values: Array<SqlValue> = [
    now,
    now,
    expiresAt,
    now,
    toSqlText(claim.leaseId),
    toSqlText(claim.executorId),
  ]
  values.push(now, ...claim.taskIds.map(toSqlText))
  let excluded = ''
  if (claim.excludedExecutionIds.length > 0) {
    excluded = 'and execution_id not in (select value from json_each(?))'
    values.push(JSON.stringify(claim.excludedExecutionIds.map(toSqlText)))
  }
  values.push(toSqlLimit(claim.limit))
  const rows = driver
    .prepare(
      `update ${EXECUTIONS_TABLE}
        set status = 'running', started_at = max(?, coalesce(started_at + 1, ?)), expires_at = ?, updated_at = ?,
          lease_id = ?, executor_id = ?
        where seq in (
          select seq from ${tableBy('ready')}
          where ${PARTIAL_INDEX_CONDITIONS.ready} and start_at <= ?
            and task_id in (${claim.taskIds.map(() => '?').join(', ')}) ${excluded}
          order by start_at, seq limit ?)
        returning ${columnsOf(SQL_FIELDS)}`,
    )
    .all(values)
  const claimed = rows.map((row) => readRow(SQL_FIELDS, row) as ExecutionRow)
  // They come in the order of insertion, which the sort keeps among equals.
  return claimed.sort((a, b) => a.startAt.getTime() - b.startAt.getTime())
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

function guardedUpdate({ executionId, statuses, leaseId, update }: DurableStorageGuardedUpdate): {
  executionId: string
  sql: string
  values: Array<SqlValue>
} {
  const { columns, values } = assignmentsOf(update, TABLE_FIELDS)
  let condition = 'execution_id = ?'
  values.push(toSqlText(executionId))
  if (statuses !== undefined) {
    condition += statuses.length === 0 ? ' and false' : ` and ${statusGuard(statuses)}`
  }
  if (leaseId !== undefined) {
    condition += ' and lease_id = ?'
    values.push(toSqlText(leaseId))
  }
  return {
    executionId,
    sql: `update ${EXECUTIONS_TABLE} set ${settings(columns)} where ${condition}`,
    values,
  }
}

function settings(columns: ReadonlyArray<string>): string {
  return columns.map((column) => `${column} = ?`).join(', ')
}

function childrenText(update: ExecutionUpdate): string | undefined {
  return update.childrenTasks === undefined ? undefined : JSON.stringify(update.childrenTasks)
}
