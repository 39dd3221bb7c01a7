/** What a transaction can do. Each call is prepared at once, and is one statement unless it says otherwise. */

import { type ExecutionRow } from '../../machine/execution.ts'
import {
  type DurableStorageIdRange,
  type DurableStorageTaskExecutionFields,
  type DurableStorageTx,
  type DurableTaskExecutionStorageWhere,
} from '../contract.ts'
import { type SqlField, type SqlValue } from '../sql/fields.ts'
import { fieldsNamed, readFields, readRows } from '../sql/rows.ts'
import { toSqlText } from '../sql/text.ts'
import { PARTIAL_INDEX_CONDITIONS, whereToRead } from '../sql/where.ts'
import { claimRows } from './claim.ts'
import { ClaimCursor } from './claim-cursor.ts'
import { insertMissingRows, insertRows } from './insert.ts'
import { renewRows } from './renew.ts'
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
import { updateRows, updateRowsGuarded } from './update.ts'

type Operation<Member> = Member extends (...given: infer Given) => infer Answer
  ? (...given: Given) => Call<Awaited<Answer>>
  : never

/** What a transaction of this storage has: the whole contract. */
export type PostgresOperations = {
  [Name in keyof DurableStorageTx]-?: Operation<Required<DurableStorageTx>[Name]>
}

/** The operations on that table. */
export function createOperations(table: string): PostgresOperations {
  const cursor = new ClaimCursor()
  return {
    insertTaskExecutions: (executions) => insertRows(table, executions),
    insertTaskExecutionsIfMissing: (executions) => insertMissingRows(table, executions),
    getTaskExecutionIds: (where, limit) => select(table, where, 'execution_id', limit, idsOf),
    getTaskExecutions: (where, limit) => select(table, where, WHOLE, limit, readRows),
    updateTaskExecutions: (where, update) => updateRows(table, where, update),
    claimTaskExecutions: (claim) => claimRows(table, claim, cursor),
    updateTaskExecutionsBatch: (updates) => updateRowsGuarded(table, updates),
    lockTaskExecutions: (executionIds, options) =>
      lockRows(table, executionIds, options?.isLean === true ? LEAN : WHOLE),
    getTaskExecutionFields: (executionIds, fields) => selectFields(table, executionIds, fieldsNamed(fields)),
    renewTaskExecutions: (renew) => renewRows(table, renew),
    getTaskExecutionsInIdRanges: (ranges) => selectRanges(table, ranges),
    getTaskExecutionIdsBelow: (parentExecutionId, limit) => findBelow(table, parentExecutionId, limit),
  }
}

function select<Row>(
  table: string,
  where: DurableTaskExecutionStorageWhere,
  columns: string,
  limit: number | undefined,
  read: (rows: Array<Array<SqlValue>>) => Array<Row>,
): Call<Array<Row>> {
  const found = limit === 0 ? null : whereToRead(where, postgresDialect)
  if (found === null) {
    return () => Promise.resolve([])
  }
  const { parts, order, values } = found
  // Several parts are merged in their common order, each as it comes from its index.
  const from =
    parts.length === 1
      ? `${table} where ${parts[0]?.condition}`
      : `(${parts.map(({ condition }) => `select * from ${table} where ${condition}`).join(' union all ')}) ready`
  const text = `select ${columns} from ${from} order by ${order} ${limitText(values, limit)}`
  return async (statements) => read(await statements.run(text, values))
}

// The rows come as they are once the lock is had, not as they were when the statement began.
function lockRows(
  table: string,
  executionIds: ReadonlyArray<string>,
  columns: string,
): Call<Array<ExecutionRow>> {
  if (executionIds.length === 0) {
    return () => Promise.resolve([])
  }
  const values: Array<Given> = []
  // One look for each id, in the order of the list: a join would leave the order of locking to the planner.
  const ids = bindIds(values, inLockOrder(executionIds))
  const text = `select e.* from unnest(${ids}) as given(id) cross join lateral (
    select ${columns} from ${table} where execution_id = given.id for update) e`
  return async (statements) => readRows(await statements.run(text, values))
}

function selectFields(
  table: string,
  executionIds: ReadonlyArray<string>,
  fields: ReadonlyArray<SqlField>,
): Call<Array<DurableStorageTaskExecutionFields>> {
  if (executionIds.length === 0) {
    return () => Promise.resolve([])
  }
  const values: Array<Given> = []
  const columns = columnsOf(fields.flatMap((field) => field.columns))
  const text = `select ${columns} from ${table} where execution_id = any(${bindIds(values, executionIds)})`
  return async (statements) => (await statements.run(text, values)).map((row) => readFields(fields, row))
}

function selectRanges(
  table: string,
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
    select ${WHOLE} from ${table} where execution_id >= given.start and execution_id < given.stop) e`
  return async (statements) => readRows(await statements.run(text, values))
}

function findBelow(table: string, parentExecutionId: string, limit: number): Call<Array<string>> {
  const values: Array<Given> = [toSqlText(parentExecutionId)]
  const text = `select execution_id from ${table}
    where parent_execution_id = $1 and ${PARTIAL_INDEX_CONDITIONS.below} order by seq ${limitText(values, limit)}`
  return async (statements) => idsOf(await statements.run(text, values))
}
