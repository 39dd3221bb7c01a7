/** The calls of the two functions that take due rows: of those that have no priority, and one priority after the other. */

import { type DurableStorageClaim } from '../contract.ts'
import { type ClaimedCells } from '../sql/rows.ts'
import { toSqlText } from '../sql/text.ts'
import { type Place, type Places } from './claim-cursor.ts'
import { type Given } from './driver.ts'
import { wholeLimit } from './statements.ts'
import { type Tables } from './tables.ts'

/** A statement with its values. */
export type Statement = { readonly text: string; readonly values: Array<Given> }

const LEAST = '-9223372036854775808'
const MOST = '9223372036854775807'

const COMMON = '$1::text[], $2::bigint, $3::bigint, $4::bigint, $5::text, $6::text, $7::text[], $8::bigint'

/** Takes rows without a priority, from behind the place; none while any ready row has one. */
export function plainClaim(
  { claimPlain }: Tables,
  claim: DurableStorageClaim,
  cells: ClaimedCells,
  after: Place | undefined,
): Statement {
  return {
    text: `select * from ${claimPlain}(${COMMON}, $9::bigint, $10::bigint)`,
    values: [...commonValues(claim, cells), after?.startAt ?? LEAST, after?.seq ?? LEAST],
  }
}

/** Takes rows of the highest priority first, of each from behind its place. */
export function claimByPriority(
  tables: Tables,
  claim: DurableStorageClaim,
  cells: ClaimedCells,
  after: Places,
): Statement {
  const places = [...after.values()]
  return {
    text: `select * from ${tables.claimByPriority}(${COMMON}, $9::bigint[], $10::bigint[], $11::bigint[])`,
    values: [
      ...commonValues(claim, cells),
      [...after.keys()],
      places.map(({ startAt }) => startAt),
      places.map(({ seq }) => seq),
    ],
  }
}

function commonValues(
  { taskIds, limit, excludedExecutionIds, lossesLessThan }: DurableStorageClaim,
  { now, expiresAt, leaseId, executorId }: ClaimedCells,
): Array<Given> {
  return [
    // Whatever the order in which a program defines its tasks, it seeks the same as the others.
    taskIds.toSorted().map(toSqlText),
    wholeLimit(limit),
    now,
    expiresAt,
    leaseId,
    executorId,
    excludedExecutionIds.map(toSqlText),
    lossesLessThan ?? MOST,
  ]
}
