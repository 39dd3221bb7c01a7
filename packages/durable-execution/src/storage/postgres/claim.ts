/** Taking due rows, in one statement: most often in the simple one for rows that have no priority. */

import { type ExecutionRow } from '../../machine/execution.ts'
import { type DurableStorageClaim } from '../contract.ts'
import { type SqlValue, toSqlTime } from '../sql/fields.ts'
import { type ClaimedCells, readClaimed } from '../sql/rows.ts'
import { toSqlText } from '../sql/text.ts'
import { type ClaimCursor, type Place, type Places, type Taken } from './claim-cursor.ts'
import { plainClaim, type Statement, claimByPriority } from './claim-statements.ts'
import { fillUsual, isTakenBack, priorityOf, startAtOf } from './claimed-columns.ts'
import { type Call } from './session.ts'
import { type Tables } from './tables.ts'
import { type Statements } from './transaction.ts'

/** Rows as a claim gives them, with `seq` behind the columns. */
type Cells = Array<Array<SqlValue>>

const FROM_START: Places = new Map()

/** Takes due rows of the tasks that nobody has locked: those of the highest priority first, of each the earliest. */
export function claimRows(
  tables: Tables,
  claim: DurableStorageClaim,
  cursor: ClaimCursor,
): Call<Array<ExecutionRow>> {
  const { taskIds, limit } = claim
  if (taskIds.length === 0) {
    return () => Promise.resolve([])
  }
  const cells = claimedCells(claim)
  return async (statements) => {
    const from = cursor.placesFor(taskIds, cells.now)
    const taken = await takeDue({ tables, claim, cells, cursor, statements }, from)
    if (taken.length > 0 && taken.length >= limit) {
      cursor.gotAll(taskIds, from, lastOfEach(taken), cells.now)
    } else {
      cursor.gotLess()
    }
    for (const values of taken) {
      fillUsual(values, cells.now)
    }
    const claimed = readClaimed(taken, cells)
    if (statements.known.size > 0) {
      for (const { executionId } of claimed) {
        // Not any more: a claim says of them what they do not say.
        statements.known.delete(executionId)
      }
    }
    return claimed
  }
}

type Claiming = {
  tables: Tables
  claim: DurableStorageClaim
  cells: ClaimedCells
  cursor: ClaimCursor
  statements: Statements
}

async function takeDue(claiming: Claiming, from: Places): Promise<Cells> {
  const { tables, claim, cells, cursor, statements } = claiming
  const run = async ({ text, values }: Statement): Promise<Cells> =>
    withoutLost(await statements.run(text, values))
  const plain = (limit: number, after: Place | undefined): Promise<Cells> =>
    run(plainClaim(tables, { ...claim, limit }, cells, after))
  const byPriority = (limit: number, after: Places): Promise<Cells> =>
    run(claimByPriority(tables, { ...claim, limit }, cells, after))
  const isUnknown = !cursor.hasPriorities(cells.now)
  if (isUnknown) {
    const place = from.get(0)
    const plainOnes = await restFromStart(
      await plain(claim.limit, place),
      claim.limit,
      place !== undefined,
      (left) => plain(left, undefined),
    )
    if (plainOnes.length > 0) {
      return plainOnes
    }
    // Nothing is due, or some ready row has a priority, which the statement takes for nothing.
    from = FROM_START
  }
  const taken = await byPriority(claim.limit, from)
  const all = await restFromStart(taken, claim.limit, from.size > 0, (left) => byPriority(left, FROM_START))
  // The simple statement is tried again after a while, since what has a priority may be gone.
  if (all.some((values) => priorityOf(values) !== 0) || (isUnknown && all.length > 0)) {
    cursor.sawPriorities(cells.now)
  }
  return all
}

/** Without the rows that the claim gave and took back: those are given once more, by their `seq` alone. */
function withoutLost(rows: Cells): Cells {
  const lost = new Set<SqlValue | undefined>()
  for (const values of rows) {
    if (isTakenBack(values)) {
      lost.add(values.at(-1))
    }
  }
  return lost.size === 0 ? rows : rows.filter((values) => !lost.has(values.at(-1)))
}

/** What a claim that went on somewhere took, with what is due before that place. */
async function restFromStart(
  taken: Cells,
  limit: number,
  wentOn: boolean,
  take: (limit: number) => Promise<Cells>,
): Promise<Cells> {
  if (wentOn && taken.length < limit) {
    const rest = await take(limit - taken.length).catch((error: unknown) => halfDone(taken, error))
    taken.push(...rest)
  }
  return taken.sort(inClaimedOrder)
}

/**
 * The error of a claim of which a part is committed. It is not the driver's own: such a call must not be made again by itself, or
 * what it took would be forgotten. Whoever claims looks it up by the lease, as after any claim of unknown outcome.
 */
function halfDone(taken: Cells, cause: unknown): never {
  throw taken.length === 0 ? cause : new Error('Only a part of the due rows could be claimed', { cause })
}

function inClaimedOrder(a: Array<SqlValue>, b: Array<SqlValue>): number {
  return priorityOf(b) - priorityOf(a) || startAtOf(a) - startAtOf(b) || seqOf(a) - seqOf(b)
}

/** The last row of each priority. */
function lastOfEach(taken: Cells): Array<Taken> {
  return taken
    .filter((values, index) => {
      const next = taken[index + 1]
      return next === undefined || priorityOf(next) !== priorityOf(values)
    })
    .map((values) => ({ priority: priorityOf(values), startAt: startAtOf(values), seq: seqOf(values) }))
}

function seqOf(values: Array<SqlValue>): number {
  return Number(values.at(-1))
}

function claimedCells({ now, expiresAt, leaseId, executorId }: DurableStorageClaim): ClaimedCells {
  return {
    now: toSqlTime(now),
    expiresAt: toSqlTime(expiresAt),
    leaseId: toSqlText(leaseId),
    executorId: toSqlText(executorId),
  }
}
