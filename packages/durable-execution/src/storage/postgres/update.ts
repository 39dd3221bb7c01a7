/** Changing rows: by a where clause, and many under a guard each. */

import { type ExecutionUpdate } from '../../machine/execution.ts'
import { type DurableStorageGuardedUpdate, type DurableTaskExecutionStorageWhere } from '../contract.ts'
import { SQL_FIELDS, type SqlValue } from '../sql/fields.ts'
import { assignmentsOf } from '../sql/rows.ts'
import { toSqlText } from '../sql/text.ts'
import { statusGuard, whereToSql } from '../sql/where.ts'
import { bind, type Column, tabulate } from './columns.ts'
import { type Given } from './driver.ts'
import { typeOf } from './schema.ts'
import { type Call } from './session.ts'
import { bindIds, idsOf, inLockOrder, postgresDialect } from './statements.ts'

/** Changes the rows that match; gives their ids. */
export function updateRows(
  table: string,
  where: DurableTaskExecutionStorageWhere,
  update: ExecutionUpdate,
): Call<Array<string>> {
  let source = ''
  const found = whereToSql(where, {
    ...postgresDialect,
    isAmong: (values, executionIds) => {
      // Joined to a list, so that rows are locked in its order.
      source = `from unnest(${bindIds(values, inLockOrder(executionIds))}) as given(id)`
      return 'execution_id = given.id'
    },
  })
  if (found === null) {
    return () => Promise.resolve([])
  }
  const values: Array<Given> = found.values
  const assigned = assignmentsOf(update, SQL_FIELDS)
  const settings = assigned.columns.map((column, index) => {
    const value = assigned.values[index] ?? null
    return `${column} = ${value === null ? 'null' : `${bind(values, value)}::${typeOf(column)}`}`
  })
  const text = `update ${table} set ${settings.join(', ')} ${source} where ${found.condition} returning execution_id`
  return async ({ run }) => idsOf(await run(text, values))
}

/** Changes each row whose guard holds; gives the ids of those. One statement for each set of fields and guard. */
export function updateRowsGuarded(
  table: string,
  updates: ReadonlyArray<DurableStorageGuardedUpdate>,
): Call<Array<string>> {
  const groups = groupAlike(updates).map((group) => groupStatement(table, group))
  return async ({ run, together }) => {
    if (groups.length > 1) {
      await together()
    }
    const changed: Array<string> = []
    for (const { text, values } of groups) {
      changed.push(...idsOf(await run(text, values)))
    }
    return changed
  }
}

/** Updates of the same columns under the same kind of guard. */
type Group = {
  readonly columns: ReadonlyArray<string>
  readonly guard: string
  readonly hasLease: boolean
  readonly members: Array<{ executionId: string; leaseId: string; values: ReadonlyArray<SqlValue> }>
}

function groupAlike(updates: ReadonlyArray<DurableStorageGuardedUpdate>): Array<Group> {
  const groups = new Map<string, Group>()
  for (const { executionId, statuses, leaseId, update } of updates) {
    if (statuses?.length === 0) {
      continue
    }
    const { columns, values } = assignmentsOf(update, SQL_FIELDS)
    const guard = statuses === undefined ? '' : `and ${statusGuard(statuses)}`
    const hasLease = leaseId !== undefined
    const key = `${columns.join()} ${hasLease} ${guard}`
    const group: Group = groups.get(key) ?? { columns, guard, hasLease, members: [] }
    groups.set(key, group)
    group.members.push({ executionId, leaseId: leaseId ?? '', values })
  }
  return [...groups.values()]
}

function groupStatement(
  table: string,
  { columns, guard, hasLease, members }: Group,
): { text: string; values: Array<Given> } {
  // Rows are locked in the order of the list.
  members.sort((a, b) => (a.executionId < b.executionId ? 1 : -1))
  const values: Array<Given> = []
  const { source, expressions } = tabulate(values, [
    { type: 'text', cells: members.map(({ executionId }) => toSqlText(executionId)) },
    // Named only where it is asked for: a value that no part of a statement uses has no type.
    ...(hasLease ? [{ type: 'text', cells: members.map(({ leaseId }) => toSqlText(leaseId)) }] : []),
    ...columns.map((column, index): Column => ({
      type: typeOf(column),
      cells: members.map((member) => member.values[index] ?? null),
    })),
  ])
  const [id, lease] = expressions
  const cells = expressions.slice(hasLease ? 2 : 1)
  const settings = columns.map((column, index) => `${column} = ${cells[index]}`).join(', ')
  const from = source === '' ? '' : `from ${source}`
  const isHeld = hasLease ? `and coalesce(e.lease_id, '') = ${lease}` : ''
  const text = `update ${table} e set ${settings} ${from}
    where e.execution_id = ${id} ${guard} ${isHeld} returning e.execution_id`
  return { text, values }
}
