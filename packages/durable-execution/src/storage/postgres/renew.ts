/** Moving the lapse of leases, by statements that wait for nobody. */

import { type DurableStorageRenew, type DurableStorageRenewed } from '../contract.ts'
import { toCells } from '../sql/cells.ts'
import { toSqlTime } from '../sql/fields.ts'
import { fromSqlText, toSqlText } from '../sql/text.ts'
import { statusGuard } from '../sql/where.ts'
import { bind, tabulate } from './columns.ts'
import { type Given } from './driver.ts'
import { type Call } from './session.ts'
import { isUnderLease } from './statements.ts'
import { type Tables } from './tables.ts'
import { writeOutUnlocked } from './write-out.ts'

/**
 * Moves the lapse of each lease that still holds. A row that somebody has locked, or that was changed while
 * the statement ran, is answered as skipped: it still held the lease when the statement began.
 */
export function renewRows(
  tables: Tables,
  { leases, expiresAt, now }: DurableStorageRenew,
): Call<Array<DurableStorageRenewed>> {
  if (leases.length === 0) {
    return () => Promise.resolve([])
  }
  const values: Array<Given> = []
  const { source, expressions } = tabulate(values, [
    { type: 'text', cells: toCells(leases.map(({ executionId }) => toSqlText(executionId))) },
    { type: 'text', cells: toCells(leases.map(({ leaseId }) => toSqlText(leaseId))) },
  ])
  const [id, lease] = expressions
  const from = (table: string): string => (source === '' ? `${table} e` : `${source}, ${table} e`)
  const isHeld = `e.execution_id = ${id} and ${isUnderLease(lease)} and ${statusGuard(['running'])}`
  const text = `with held as materialized (
      select e.execution_id from ${from(tables.rows)} where ${isHeld} for update of e skip locked),
    moved as (
      update ${tables.rows} e
      set expires_at = ${bind(values, toSqlTime(expiresAt))}, updated_at = ${bind(values, toSqlTime(now))}
      from held where e.execution_id = held.execution_id
      returning e.execution_id)
    select execution_id, 0 from moved
    union all
    select e.execution_id, 1 from ${from(tables.executions)}
    where ${isHeld} and e.execution_id not in (select execution_id from moved)`
  const executionIds = leases.map(({ executionId }) => executionId)
  return async (statements) => {
    await writeOutUnlocked(statements, tables, executionIds)
    const rows = await statements.run(text, values)
    return rows.map(([executionId, isSkipped]) => ({
      executionId: fromSqlText(executionId as string),
      ...(isSkipped === 1 ? { isSkipped: true } : {}),
    }))
  }
}
