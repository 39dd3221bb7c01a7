/** Taking due rows, in one statement. */

import { type ExecutionRow } from '../../machine/execution.ts'
import { type DurableStorageClaim } from '../contract.ts'
import { SQL_FIELDS, toSqlTime } from '../sql/fields.ts'
import { readRow } from '../sql/rows.ts'
import { toSqlText } from '../sql/text.ts'
import { PARTIAL_INDEX_CONDITIONS } from '../sql/where.ts'
import { bind, bindTexts } from './columns.ts'
import { type Given } from './driver.ts'
import { type Call } from './session.ts'
import { bindIds, columnsOf, limitText } from './statements.ts'

/** Takes the earliest due rows of the tasks that nobody has locked; gives them as they are then. */
export function claimRows(table: string, claim: DurableStorageClaim): Call<Array<ExecutionRow>> {
  if (claim.taskIds.length === 0) {
    return () => Promise.resolve([])
  }
  const values: Array<Given> = []
  const now = `${bind(values, toSqlTime(claim.now))}::bigint`
  const expiresAt = `${bind(values, toSqlTime(claim.expiresAt))}::bigint`
  const leaseId = bind(values, toSqlText(claim.leaseId))
  const executorId = bind(values, toSqlText(claim.executorId))
  const taskIds = bindTexts(values, claim.taskIds.map(toSqlText))
  // A subquery is looked up by hash; a list would be walked for each row.
  const excluded =
    claim.excludedExecutionIds.length === 0
      ? ''
      : `and execution_id not in (select unnest(${bindIds(values, claim.excludedExecutionIds)}))`
  // The status stands there as text, or the index of the ready rows could not be used.
  const text = `with due as materialized (
      select execution_id from ${table}
      where ${PARTIAL_INDEX_CONDITIONS.ready} and start_at <= ${now} and task_id = any(${taskIds}) ${excluded}
      order by start_at, seq ${limitText(claim.limit)} for update skip locked)
    update ${table} e set status = 'running', started_at = greatest(${now}, e.started_at + 1),
      expires_at = ${expiresAt}, updated_at = ${now}, lease_id = ${leaseId}, executor_id = ${executorId}
    from due where e.execution_id = due.execution_id
    returning ${columnsOf(SQL_FIELDS, 'e')}`
  return async ({ run }) => {
    const rows = await run(text, values)
    const claimed = rows.map((row) => readRow(SQL_FIELDS, row) as ExecutionRow)
    // They come as they were found, which the sort keeps among equals.
    return claimed.sort((a, b) => a.startAt.getTime() - b.startAt.getTime())
  }
}
