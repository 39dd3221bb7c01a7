/** A statement over one row: it is made once for what rows have and what is usual in them, and again and again its values alone. */

import { type ExecutionRow } from '../../machine/execution.ts'
import { type SqlColumn, type SqlValue } from './fields.ts'

/** What a column holds in most rows, so that it need not be handed over: some value, or that of a column before it. */
export type Usual = { readonly value: SqlValue } | { readonly sameAs: string }

/** How a column comes into the statement. */
export type Part = { readonly column: SqlColumn; readonly kind: 'null' | 'given' | 'usual' }

type Fields = { readonly [Name in keyof ExecutionRow]?: unknown }

export class OneRow<T> {
  readonly #columns: ReadonlyArray<SqlColumn>
  /** For each column its usual value, or the place of the column whose value it usually has. */
  readonly #usual: ReadonlyArray<{ value: SqlValue | undefined; sameAs: number }>
  readonly #make: (parts: ReadonlyArray<Part>) => T
  // By what is given and by what is usual, each as the sum of a power of two for each column, which is exact up to 53 of them. Rows are of
  // few kinds, so there is no bound.
  readonly #made = new Map<number, Map<number, T>>()

  /** `make` makes the statement; the values of what is given will come in the order of the columns. */
  constructor(
    columns: ReadonlyArray<SqlColumn>,
    usual: ReadonlyMap<string, Usual>,
    make: (parts: ReadonlyArray<Part>) => T,
  ) {
    this.#columns = columns
    this.#usual = columns.map(({ name }) => {
      const one = usual.get(name) ?? { value: undefined }
      return 'sameAs' in one
        ? { value: undefined, sameAs: columns.findIndex((column) => column.name === one.sameAs) }
        : { value: one.value, sameAs: -1 }
    })
    this.#make = make
  }

  /** Adds what is to be handed over to the values; gives the statement. */
  of(row: Fields, values: Array<SqlValue>): T {
    const cells: Array<SqlValue> = []
    let given = 0
    let usual = 0
    let bit = 1
    for (let index = 0; index < this.#columns.length; index += 1, bit *= 2) {
      const { field, toKept } = this.#columns[index] as SqlColumn
      const value: unknown = row[field]
      const cell = value === undefined ? null : toKept(value)
      cells.push(cell)
      if (cell !== null) {
        if (this.#isUsual(index, cell, cells)) {
          usual += bit
        } else {
          given += bit
          values.push(cell)
        }
      }
    }
    return this.#find(given, usual)
  }

  #isUsual(index: number, cell: SqlValue, cells: ReadonlyArray<SqlValue>): boolean {
    const usual = this.#usual[index]
    return usual !== undefined && cell === (usual.sameAs < 0 ? usual.value : cells[usual.sameAs])
  }

  #find(given: number, usual: number): T {
    let ofGiven = this.#made.get(given)
    if (ofGiven === undefined) {
      ofGiven = new Map()
      this.#made.set(given, ofGiven)
    }
    let made = ofGiven.get(usual)
    if (made === undefined) {
      const parts = this.#columns.map((column, index): Part => {
        const kind = isIn(given, index) ? 'given' : isIn(usual, index) ? 'usual' : 'null'
        return { column, kind }
      })
      made = this.#make(parts)
      ofGiven.set(usual, made)
    }
    return made
  }
}

function isIn(sum: number, index: number): boolean {
  return Math.floor(sum / 2 ** index) % 2 === 1
}
