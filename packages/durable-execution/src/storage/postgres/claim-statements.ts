/** The two statements that take due rows: of those that have no priority, and one priority after the other. */

import { type DurableStorageClaim } from '../contract.ts'
import { type ClaimedCells } from '../sql/rows.ts'
import { toSqlText } from '../sql/text.ts'
import { PARTIAL_INDEX_CONDITIONS } from '../sql/where.ts'
import { type Place, type Places } from './claim-cursor.ts'
import { claimedColumns } from './claimed-columns.ts'
import { bind, bindTexts } from './columns.ts'
import { type Given } from './driver.ts'
import { PRIORITY } from './schema.ts'
import { bindIds, limitText } from './statements.ts'

/** A statement with its values. */
export type Statement = { readonly text: string; readonly values: Array<Given> }

// The status stands there as text, or the index of the ready rows could not be used.
const { ready: READY, prioritized: PRIORITIZED } = PARTIAL_INDEX_CONDITIONS

const LEAST = `'-9223372036854775808'::bigint`

/**
 * Takes rows without a priority, from behind the place. It takes none while any ready row has one, which may have to be
 * taken first: to ask that costs nothing to be measured where none has, and the statement for all priorities costs 30 µs
 * more, or 400 where it is planned each time.
 */
export function plainClaim(
  table: string,
  claim: DurableStorageClaim,
  cells: ClaimedCells,
  after: Place | undefined,
): Statement {
  const parts = partsOf(claim, cells)
  const { values } = parts
  const goesOn =
    after === undefined
      ? ''
      : `and (start_at, seq) > (${bind(values, after.startAt)}::bigint, ${bind(values, after.seq)}::bigint)`
  const text = `with due as materialized (
      select execution_id from ${table}
      where ${READY} and ${PRIORITY} = 0 and ${parts.isDue} ${goesOn}
        and not exists (select from ${table} where ${PRIORITIZED})
      order by start_at, seq ${parts.limited} for update skip locked)
    ${takeDue(table, parts)}`
  return { text, values }
}

/**
 * Takes rows of the highest priority first, from behind the places. Each priority that a ready row has is found by one step
 * through the index, and its rows that are due by another: those that are not due yet are not walked over, however many they
 * are. A priority that has a place is not looked for, since entries of rows that were claimed may stand before the place.
 * Whatever comes after the last row asked for is neither looked for nor locked.
 */
export function claimByPriority(
  table: string,
  claim: DurableStorageClaim,
  cells: ClaimedCells,
  after: Places,
): Statement {
  const parts = partsOf(claim, cells)
  const { values } = parts
  const placed = [
    [...after.keys()],
    [...after.values()].map(({ startAt }) => startAt),
    [...after.values()].map(({ seq }) => seq),
  ].map((list) => `${bind(values, `{${list.join(',')}}`)}::bigint[]`)
  const highest = (between: string): string =>
    `(select ${PRIORITY} from ${table} where ${READY} and ${between} order by ${PRIORITY} desc limit 1)`
  const text = `with recursive place(priority, start_at, seq) as materialized (
      select * from unnest(${placed.join(', ')})),
    level(priority) as (
      select coalesce(${highest(`${PRIORITY} > coalesce(top.priority, ${LEAST})`)}, top.priority)
      from (select max(priority) as priority from place) top
      union all
      select coalesce(
        ${highest(`${PRIORITY} < level.priority and ${PRIORITY} > coalesce(next.priority, ${LEAST})`)}, next.priority)
      from level cross join lateral (
        select max(place.priority) as priority from place where place.priority < level.priority) next
      where level.priority is not null),
    due as materialized (
      select of_level.execution_id from level left join place on place.priority = level.priority cross join lateral (
        select execution_id from ${table}
        where ${READY} and ${PRIORITY} = level.priority and ${parts.isDue}
          and (start_at, seq) > (coalesce(place.start_at, ${LEAST}), coalesce(place.seq, ${LEAST}))
        order by start_at, seq ${parts.limited} for update skip locked) of_level
      ${parts.limited})
    ${takeDue(table, parts)}`
  return { text, values }
}

type Parts = {
  values: Array<Given>
  now: string
  expiresAt: string
  leaseId: string
  executorId: string
  /** The condition that a row is due, and one that may be taken. */
  isDue: string
  limited: string
}

/** What the statements have in common. */
function partsOf(claim: DurableStorageClaim, cells: ClaimedCells): Parts {
  const values: Array<Given> = []
  const now = `${bind(values, cells.now)}::bigint`
  const expiresAt = `${bind(values, cells.expiresAt)}::bigint`
  const leaseId = bind(values, cells.leaseId)
  const executorId = bind(values, cells.executorId)
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
  const isDue = `start_at <= ${now} and task_id = any(${taskIds}) ${excluded} ${apart}`
  return { values, now, expiresAt, leaseId, executorId, isDue, limited: limitText(values, claim.limit) }
}

function takeDue(table: string, { now, expiresAt, leaseId, executorId }: Parts): string {
  return `update ${table} e set status = 'running', started_at = greatest(${now}, e.started_at + 1),
      expires_at = ${expiresAt}, updated_at = ${now}, lease_id = ${leaseId}, executor_id = ${executorId}
    from due where e.execution_id = due.execution_id
    returning ${claimedColumns(now)}, e.seq`
}
