/** Reading rows as they are in truth: what open claims say of them is more than what they say themselves. */

import { systemClock } from '../../base/clock.ts'
import { type ExecutionRow } from '../../machine/execution.ts'
import {
  type DurableStorageIdRange,
  type DurableStorageTaskExecutionFields,
  type DurableTaskExecutionStorageWhere,
} from '../contract.ts'
import { type SqlField, type SqlValue } from '../sql/fields.ts'
import { readFields, readRows } from '../sql/rows.ts'
import { toSqlText } from '../sql/text.ts'
import { PARTIAL_INDEX_CONDITIONS, whereToRead } from '../sql/where.ts'
import { bindTexts } from './columns.ts'
import { type Given } from './driver.ts'
import { type Call } from './session.ts'
import {
  bindIds,
  columnsOf,
  idsOf,
  inLockOrder,
  LEAN,
  limitText,
  postgresDialect,
  WHOLE,
} from './statements.ts'
import { type Tables } from './tables.ts'
import { isNamedByNone, mayBeClaimed, writeOut } from './write-out.ts'

/** The ids of the rows that match. */
export function selectIds(
  tables: Tables,
  where: DurableTaskExecutionStorageWhere,
  limit: number | undefined,
): Call<Array<string>> {
  return select(tables, where, ['execution_id', 'seq, start_at, expires_at, execution_id'], limit, idsOf)
}

/** The rows that match. */
export function selectRows(
  tables: Tables,
  where: DurableTaskExecutionStorageWhere,
  limit: number | undefined,
): Call<Array<ExecutionRow>> {
  return select(tables, where, [WHOLE, `seq, ${WHOLE}`], limit, readRows)
}

function select<Row>(
  tables: Tables,
  where: DurableTaskExecutionStorageWhere,
  /** Those that are asked for, and those with the ones that rows are sorted by. */
  [columns, columnsWithin]: readonly [string, string],
  limit: number | undefined,
  read: (rows: Array<Array<SqlValue>>) => Array<Row>,
): Call<Array<Row>> {
  const found = limit === 0 ? null : whereToRead(where, postgresDialect)
  if (found === null) {
    return () => Promise.resolve([])
  }
  const { parts, order, values } = found
  const limited = limitText(values, limit)
  // Several parts are merged in their common order, each as it comes from its index.
  const texts = parts.flatMap(({ condition }) =>
    partsInTruth(tables, where, condition).map((from) => `select ${columnsWithin} from ${from}`),
  )
  const [only = ''] = texts
  const text =
    texts.length === 1
      ? `${only.replace(columnsWithin, columns)} order by ${order} ${limited}`
      : `select ${columns} from (${texts.map((part) => `(${part} order by ${order} ${limited})`).join(' union all ')}) found
        order by ${order} ${limited}`
  return async (statements) => read(await statements.run(text, values))
}

/** Where the rows that match in truth are read from, and on which condition. */
function partsInTruth(
  tables: Tables,
  { type, statuses }: DurableTaskExecutionStorageWhere,
  condition: string,
): Array<string> {
  const { executions, claimed, rows } = tables
  const [isReady, isRunning] = [statuses?.includes('ready') === true, statuses?.includes('running') === true]
  switch (true) {
    case !mayBeClaimed(statuses):
      return [`${rows} where ${condition}`]
    case type === 'by_execution_ids' || (isReady && isRunning) || statuses?.length !== 1:
      return [`${executions} where ${condition}`]
    case isReady:
      return [`${rows} where ${condition} and ${isNamedByNone(tables)}`]
    default:
      return [`${rows} where ${condition}`, `${claimed} where ${condition}`]
  }
}

/** Locks the rows, and reads them as they are once the lock is had, not as they were when the statement began. */
export function lockRows(
  tables: Tables,
  executionIds: ReadonlyArray<string>,
  options: { isLean?: boolean } = {},
): Call<Array<ExecutionRow>> {
  if (executionIds.length === 0) {
    return () => Promise.resolve([])
  }
  const values: Array<Given> = []
  // One look for each id, in the order of the list: a join would leave the order of locking to the planner.
  const ids = bindIds(values, inLockOrder(executionIds))
  const text = `select e.* from unnest(${ids}) as given(id) cross join lateral (
    select ${options.isLean === true ? LEAN : WHOLE} from ${tables.rows} where execution_id = given.id for update) e`
  return async (statements) => {
    let rows = readRows(await statements.run(text, values))
    const claimable = rows.filter(mayBeDue).map(({ executionId }) => executionId)
    if (claimable.length > 0 && (await writeOut(statements, tables, claimable)) > 0) {
      rows = readRows(await statements.run(text, values))
    }
    for (const { executionId } of rows) {
      statements.known.add(executionId)
    }
    return rows
  }
}

// What waits for a signal or a child is ready in a hundred years, and no claim asks for what is due then.
const NEVER_DUE_MS = 50 * 366 * 24 * 60 * 60 * 1_000

function mayBeDue({ status, startAt }: ExecutionRow): boolean {
  return status === 'ready' && startAt.getTime() < systemClock.now() + NEVER_DUE_MS
}

// Whatever a claim does not set is the same in the row itself, which takes less to read.
const SET_BY_CLAIMS: ReadonlySet<string> = new Set([
  'status',
  'startedAt',
  'expiresAt',
  'updatedAt',
  'leaseId',
  'executorId',
])

/** A few fields of rows. */
export function selectFields(
  { executions, rows }: Tables,
  executionIds: ReadonlyArray<string>,
  fields: ReadonlyArray<SqlField>,
): Call<Array<DurableStorageTaskExecutionFields>> {
  if (executionIds.length === 0) {
    return () => Promise.resolve([])
  }
  const values: Array<Given> = []
  const columns = columnsOf(fields.flatMap((field) => field.columns))
  const table = fields.some(({ name }) => SET_BY_CLAIMS.has(name)) ? executions : rows
  const text = `select ${columns} from ${table} where execution_id = any(${bindIds(values, executionIds)})`
  return async (statements) => (await statements.run(text, values)).map((row) => readFields(fields, row))
}

/** The rows whose ids lie in the ranges. */
export function selectRanges(
  { executions }: Tables,
  ranges: ReadonlyArray<DurableStorageIdRange>,
): Call<Array<ExecutionRow>> {
  if (ranges.length === 0) {
    return () => Promise.resolve([])
  }
  const values: Array<Given> = []
  const starts = bindTexts(
    values,
    ranges.map(({ from }) => toSqlText(from)),
  )
  const ends = bindTexts(
    values,
    ranges.map(({ to }) => toSqlText(to)),
  )
  // One look into the index for each range: a join would leave it to the planner.
  const text = `select e.* from unnest(${starts}, ${ends}) as given(start, stop) cross join lateral (
    select ${WHOLE} from ${executions} where execution_id >= given.start and execution_id < given.stop) e`
  return async (statements) => readRows(await statements.run(text, values))
}

/** The ids of what is below a parent and still to be done, which is the same whether it runs or is ready. */
export function findBelow({ rows }: Tables, parentExecutionId: string, limit: number): Call<Array<string>> {
  const values: Array<Given> = [toSqlText(parentExecutionId)]
  const text = `select execution_id from ${rows}
    where parent_execution_id = $1 and ${PARTIAL_INDEX_CONDITIONS.below} order by seq ${limitText(values, limit)}`
  return async (statements) => idsOf(await statements.run(text, values))
}
