/** What changes many rows under guards, as the parts of one statement. */

import { type ExecutionUpdate } from '../../machine/execution.ts'
import { type DurableStorageGuardedUpdate } from '../contract.ts'
import { cellsOf, toCells } from '../sql/cells.ts'
import { type SqlColumn } from '../sql/fields.ts'
import { toSqlText } from '../sql/text.ts'
import { type AlikeUpdates } from '../sql/updates.ts'
import { type Column, tabulate } from './columns.ts'
import { type Given } from './driver.ts'
import { typeOf } from './schema.ts'
import { type Tables } from './tables.ts'
import { outOfClaims } from './write-out.ts'

/** Whether the update makes its row ready. */
export function isToReady({ update }: DurableStorageGuardedUpdate): boolean {
  return update.status === 'ready'
}

type Tabulated = {
  values: Array<Given>
  /** What the values are read from; an empty text where there is one of each only. */
  source: string
  id: string
  lease: string | undefined
  /** For each column what it is set to. */
  cells: ReadonlyArray<string>
}

/** The updates as columns; the members are put into the order in which rows are locked. */
export function tabulated({ columns, hasLease, members }: AlikeUpdates): Tabulated {
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
  const [id = '', lease] = expressions
  return {
    values,
    source,
    id,
    lease: hasLease ? lease : undefined,
    cells: expressions.slice(hasLease ? 2 : 1),
  }
}

/** What the update sets. */
export function settingsOf(
  { columns }: { columns: ReadonlyArray<SqlColumn> },
  cells: ReadonlyArray<string>,
): string {
  return columns.map(({ name }, index) => `${name} = ${cells[index]}`).join(', ')
}

/**
 * The update as a statement that answers the ids, and that takes what becomes ready out of the claims that still name it. `before` is
 * what the update reads besides.
 */
export function asUpdate(
  tables: Tables,
  text: string,
  update: ExecutionUpdate | undefined,
  before?: string,
): string {
  if (update?.status === 'ready') {
    return outOfClaims(tables, text, before)
  }
  return `${before === undefined ? '' : `with ${before} `}${text} returning e.execution_id`
}
