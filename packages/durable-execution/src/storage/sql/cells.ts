/** The values of one column in many rows: one for each row, or one alone where all rows have the same. */

import { type SqlColumn, type SqlValue } from './fields.ts'

/** The values of one column. */
export type SqlCells =
  | { readonly kind: 'same'; readonly cell: SqlValue }
  | { readonly kind: 'each'; readonly cells: ReadonlyArray<SqlValue> }

/** The values of a column in the records, which are one at least. A value that a row shares with the one before is written once. */
export function cellsOf<Field extends string>(
  column: SqlColumn & { readonly field: Field },
  records: ReadonlyArray<{ readonly [Name in Field]?: unknown }>,
): SqlCells {
  const { field, toKept } = column
  let value: unknown = records[0]?.[field]
  let cell = value === undefined ? null : toKept(value)
  let cells: Array<SqlValue> | undefined
  for (let index = 1; index < records.length; index += 1) {
    const next: unknown = records[index]?.[field]
    if (next !== value) {
      value = next
      const kept = next === undefined ? null : toKept(next)
      if (cells === undefined && kept !== cell) {
        cells = Array<SqlValue>(index).fill(cell)
      }
      cell = kept
    }
    cells?.push(cell)
  }
  return cells === undefined ? { kind: 'same', cell } : { kind: 'each', cells }
}

/** The values, which are one at least, as cells. */
export function toCells(cells: ReadonlyArray<SqlValue>): SqlCells {
  const [cell = null] = cells
  return cells.every((one) => one === cell) ? { kind: 'same', cell } : { kind: 'each', cells }
}

/** The value in the row at that place. */
export function cellAt(cells: SqlCells, index: number): SqlValue {
  return cells.kind === 'same' ? cells.cell : (cells.cells[index] ?? null)
}
