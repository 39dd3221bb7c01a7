/** Changing rows: by a where clause, and many under a guard each. */

import { type ExecutionUpdate } from '../../machine/execution.ts'
import { type DurableStorageGuardedUpdate, type DurableTaskExecutionStorageWhere } from '../contract.ts'
import { cellsOf, toCells } from '../sql/cells.ts'
import { toSqlText } from '../sql/text.ts'
import { type AlikeUpdates, columnsSet, groupAlike, valueSet } from '../sql/updates.ts'
import { whereToSql } from '../sql/where.ts'
import { bind, type Column, tabulate } from './columns.ts'
import { type Given } from './driver.ts'
import { typeOf } from './schema.ts'
import { type Call } from './session.ts'
import { bindIds, idsOf, inLockOrder, isUnderLease, postgresDialect } from './statements.ts'

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
  const settings = columnsSet(update).map((column) => {
    const value = valueSet(update, column)
    return `${column.name} = ${value === null ? 'null' : `${bind(values, value)}::${typeOf(column.name)}`}`
  })
  const text = `update ${table} set ${settings.join(', ')} ${source} where ${found.condition} returning execution_id`
  return async (statements) => idsOf(await statements.run(text, values))
}

/** Changes each row whose guard holds; gives the ids of those. One statement for each set of fields and guard. */
export function updateRowsGuarded(
  table: string,
  updates: ReadonlyArray<DurableStorageGuardedUpdate>,
): Call<Array<string>> {
  const groups = groupAlike(updates).map((alike) => alikeStatement(table, alike))
  return async (statements) => {
    if (groups.length > 1) {
      await statements.together()
    }
    const changed: Array<string> = []
    for (const { text, values } of groups) {
      changed.push(...idsOf(await statements.run(text, values)))
    }
    return changed
  }
}

function alikeStatement(
  table: string,
  { columns, guard, hasLease, members }: AlikeUpdates,
): { text: string; values: Array<Given> } {
  // Rows are locked in the order of the list.
  members.sort((a, b) => (a.executionId < b.executionId ? 1 : -1))
  const updates = members.map(({ update }) => update)
  const leases = hasLease ? [toCells(members.map(({ leaseId = '' }) => toSqlText(leaseId)))] : []
  const values: Array<Given> = []
  const { source, expressions } = tabulate(values, [
    { type: 'text', cells: toCells(members.map(({ executionId }) => toSqlText(executionId))) },
    // Named only where it is asked for: a value that no part of a statement uses has no type.
    ...leases.map((cells): Column => ({ type: 'text', cells })),
    ...columns.map((column): Column => ({ type: typeOf(column.name), cells: cellsOf(column, updates) })),
  ])
  const [id, lease] = expressions
  const cells = expressions.slice(hasLease ? 2 : 1)
  const settings = columns.map(({ name }, index) => `${name} = ${cells[index]}`).join(', ')
  const from = source === '' ? '' : `from ${source}`
  const isGuarded = guard === '' ? '' : `and ${guard}`
  const isHeld = hasLease ? `and ${isUnderLease(lease)}` : ''
  const text = `update ${table} e set ${settings} ${from}
    where e.execution_id = ${id} ${isGuarded} ${isHeld} returning e.execution_id`
  return { text, values }
}
