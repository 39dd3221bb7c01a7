/** Taking due rows: from one priority after the other, the highest first. */

import { type ExecutionRow } from '../../machine/execution.ts'
import { type DurableStorageClaim } from '../contract.ts'
import { type SqlValue, toSqlTime } from '../sql/fields.ts'
import { type ClaimedCells, readClaimed } from '../sql/rows.ts'
import { toSqlText } from '../sql/text.ts'
import { PARTIAL_INDEX_CONDITIONS, statusGuard } from '../sql/where.ts'
import { type SqliteDriver } from './driver.ts'
import { EXECUTIONS_TABLE, PRIORITY } from './schema.ts'
import { CLAIMED, tableBy } from './statements.ts'

/** Takes due rows of the tasks: those of the highest priority first, of each the earliest; gives them as they are then. */
export function claimRows(driver: SqliteDriver, claim: DurableStorageClaim): Array<ExecutionRow> {
  const { limit } = claim
  const taken: Array<ExecutionRow> = []
  // A look for each priority that some ready row has: those of it that are not due yet are not even seen.
  let priority = priorityBelow(driver, Infinity)
  while (priority !== undefined && taken.length < limit) {
    taken.push(...claimOfPriority(driver, claim, priority, limit - taken.length))
    priority = taken.length < limit ? priorityBelow(driver, priority) : undefined
  }
  return taken
}

/** The highest priority of a ready row that is below the given one. */
function priorityBelow(driver: SqliteDriver, bound: number): number | undefined {
  const [found] = driver
    .prepare(
      `select ${PRIORITY} from ${tableBy('ready')}
        where ${PARTIAL_INDEX_CONDITIONS.ready} and ${PRIORITY} < ? order by ${PRIORITY} desc limit 1`,
    )
    .all([bound])
  return found?.[0] as number | undefined
}

function claimOfPriority(
  driver: SqliteDriver,
  claim: DurableStorageClaim,
  priority: number,
  limit: number,
): Array<ExecutionRow> {
  const cells: ClaimedCells = {
    now: toSqlTime(claim.now),
    expiresAt: toSqlTime(claim.expiresAt),
    leaseId: toSqlText(claim.leaseId),
    executorId: toSqlText(claim.executorId),
  }
  const { now, expiresAt, leaseId, executorId } = cells
  const values: Array<SqlValue> = [now, now, expiresAt, now, leaseId, executorId]
  values.push(priority, now, ...claim.taskIds.map(toSqlText))
  let excluded = ''
  if (claim.excludedExecutionIds.length > 0) {
    excluded = 'and execution_id not in (select value from json_each(?))'
    values.push(JSON.stringify(claim.excludedExecutionIds.map(toSqlText)))
  }
  let apart = ''
  if (claim.lossesLessThan !== undefined) {
    apart = 'and coalesce(losses, 0) < ?'
    values.push(claim.lossesLessThan)
  }
  values.push(limit)
  // The status is asked for once more, of the row itself: SQLite believes what a partial index holds, and one that is
  // damaged would have a row claimed without end, since changing the row does not take it out of the index.
  const statement = driver.prepare(
    `update ${EXECUTIONS_TABLE}
        set status = 'running', started_at = max(?, coalesce(started_at + 1, ?)), expires_at = ?, updated_at = ?,
          lease_id = ?, executor_id = ?
        where seq in (
          select seq from ${tableBy('ready')}
          where ${PARTIAL_INDEX_CONDITIONS.ready} and ${PRIORITY} = ? and start_at <= ?
            and task_id in (${claim.taskIds.map(() => '?').join(', ')}) ${excluded} ${apart}
          order by start_at, seq limit ?)
          and ${statusGuard(['ready'])}
        returning ${CLAIMED}`,
  )
  const rows = readReturned(driver, leaseId, priority, () => statement.all(values))
  // They come in the order of insertion, which the sort keeps among equals.
  return readClaimed(rows, cells).sort((a, b) => a.startAt.getTime() - b.startAt.getTime())
}

// One row with a number that cannot be read must not keep all others from being claimed.
function readReturned(
  driver: SqliteDriver,
  leaseId: string,
  priority: number,
  claim: () => Array<Array<SqlValue>>,
): Array<Array<SqlValue>> {
  try {
    return claim()
  } catch (error) {
    if (!driver.isRangeError(error)) {
      throw error
    }
    return driver
      .prepare(
        `select ${CLAIMED} from ${tableBy('running')}
          where ${PARTIAL_INDEX_CONDITIONS.running} and lease_id = ? and ${PRIORITY} = ? order by seq`,
      )
      .all([leaseId, priority])
  }
}
