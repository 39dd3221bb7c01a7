/** Taking due rows, in one statement. */

import { type ExecutionRow } from '../../machine/execution.ts'
import { type DurableStorageClaim } from '../contract.ts'
import { type SqlValue, toSqlTime } from '../sql/fields.ts'
import { type ClaimedCells, readClaimed } from '../sql/rows.ts'
import { toSqlText } from '../sql/text.ts'
import { PARTIAL_INDEX_CONDITIONS } from '../sql/where.ts'
import { type ClaimCursor, type Place } from './claim-cursor.ts'
import { claimedColumns, fillUsual, startAtOf } from './claimed-columns.ts'
import { bind, bindTexts } from './columns.ts'
import { type Given } from './driver.ts'
import { type Call } from './session.ts'
import { bindIds, limitText } from './statements.ts'

/** Takes the earliest due rows of the tasks that nobody has locked; gives them as they are then. */
export function claimRows(
  table: string,
  claim: DurableStorageClaim,
  cursor: ClaimCursor,
): Call<Array<ExecutionRow>> {
  const { taskIds, limit } = claim
  if (taskIds.length === 0) {
    return () => Promise.resolve([])
  }
  const nowMs = toSqlTime(claim.now)
  return async (statements) => {
    const from = cursor.placeFor(taskIds, nowMs)
    const take = async (atMost: number, after: Place | undefined): Promise<Array<Array<SqlValue>>> => {
      const { text, values } = claimStatement(table, { ...claim, limit: atMost }, after)
      return await statements.run(text, values)
    }
    const taken = await take(limit, from)
    if (from !== undefined && taken.length < limit) {
      taken.push(
        ...(await take(limit - taken.length, undefined).catch((error: unknown) => halfDone(taken, error))),
      )
    }
    // They come as they were found, which the sort keeps among equals.
    taken.sort((a, b) => startAtOf(a) - startAtOf(b) || Number(a.at(-1)) - Number(b.at(-1)))
    const last = taken.at(-1)
    if (last !== undefined && taken.length >= limit) {
      cursor.gotAll(taskIds, from, { startAt: startAtOf(last), seq: Number(last.at(-1)) }, nowMs)
    } else {
      cursor.gotLess()
    }
    for (const values of taken) {
      fillUsual(values, nowMs)
    }
    return readClaimed(taken, claimedCells(claim))
  }
}

/**
 * The error of a claim of which a part is committed. It is not the driver's own: such a call must not be made again by itself, or
 * what it took would be forgotten. Whoever claims looks it up by the lease, as after any claim of unknown outcome.
 */
function halfDone(taken: ReadonlyArray<unknown>, cause: unknown): never {
  throw taken.length === 0 ? cause : new Error('Only a part of the due rows could be claimed', { cause })
}

function claimedCells({ now, expiresAt, leaseId, executorId }: DurableStorageClaim): ClaimedCells {
  return {
    now: toSqlTime(now),
    expiresAt: toSqlTime(expiresAt),
    leaseId: toSqlText(leaseId),
    executorId: toSqlText(executorId),
  }
}

function claimStatement(
  table: string,
  claim: DurableStorageClaim,
  from: Place | undefined,
): { text: string; values: Array<Given> } {
  const values: Array<Given> = []
  const claimed = claimedCells(claim)
  const now = `${bind(values, claimed.now)}::bigint`
  const expiresAt = `${bind(values, claimed.expiresAt)}::bigint`
  const leaseId = bind(values, claimed.leaseId)
  const executorId = bind(values, claimed.executorId)
  const taskIds = bindTexts(values, claim.taskIds.map(toSqlText))
  // A subquery is looked up by hash; a list would be walked for each row.
  const excluded =
    claim.excludedExecutionIds.length === 0
      ? ''
      : `and execution_id not in (select unnest(${bindIds(values, claim.excludedExecutionIds)}))`
  const apart =
    claim.lossesLessThan === undefined
      ? ''
      : `and coalesce(losses, 0) < ${bind(values, claim.lossesLessThan)}::bigint`
  const after =
    from === undefined
      ? ''
      : `and (start_at, seq) > (${bind(values, from.startAt)}::bigint, ${bind(values, from.seq)}::bigint)`
  // The status stands there as text, or the index of the ready rows could not be used.
  const text = `with due as materialized (
      select execution_id from ${table}
      where ${PARTIAL_INDEX_CONDITIONS.ready} and start_at <= ${now} ${after} and task_id = any(${taskIds}) ${excluded} ${apart}
      order by start_at, seq ${limitText(values, claim.limit)} for update skip locked)
    update ${table} e set status = 'running', started_at = greatest(${now}, e.started_at + 1),
      expires_at = ${expiresAt}, updated_at = ${now}, lease_id = ${leaseId}, executor_id = ${executorId}
    from due where e.execution_id = due.execution_id
    returning ${claimedColumns(now)}, e.seq`
  return { text, values }
}
