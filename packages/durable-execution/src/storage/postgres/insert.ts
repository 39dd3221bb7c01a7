/** Inserting rows, many in a statement. */

import { DurableExecutionError } from '../../base/errors.ts'
import { type ExecutionRow } from '../../machine/execution.ts'
import { alreadyExistsMessage } from '../contract.ts'
import { SQL_FIELDS, type SqlField, type SqlValue } from '../sql/fields.ts'
import { fieldsPresent } from '../sql/rows.ts'
import { fromSqlText } from '../sql/text.ts'
import { type Column, tabulate } from './columns.ts'
import { type Given } from './driver.ts'
import { takenId } from './failures.ts'
import { typeOf } from './schema.ts'
import { type Call } from './session.ts'

// A message of the protocol has a gigabyte at most, and all of it is in memory here and there.
const CHARACTERS_PER_STATEMENT = 64 * 1024 * 1024

/**
 * Inserts the rows: all, or none where an id exists already or a value cannot be stored. One statement, or
 * one for each 64 million characters.
 */
export function insertRows(table: string, rows: ReadonlyArray<ExecutionRow>): Call<void> {
  const statements = chunksOf(rows).map((chunk) => insertStatement(table, chunk))
  return async ({ run, together }) => {
    if (statements.length > 1) {
      await together()
    }
    try {
      for (const { text, values } of statements) {
        await run(text, values)
      }
    } catch (error) {
      const taken = takenId(error)
      throw taken === undefined ? error : alreadyExists(taken, error)
    }
  }
}

function alreadyExists(taken: string, cause: unknown): DurableExecutionError {
  return new DurableExecutionError(alreadyExistsMessage(fromSqlText(taken)), false, { cause })
}

function insertStatement(
  table: string,
  rows: ReadonlyArray<ExecutionRow>,
): { text: string; values: Array<Given> } {
  // Only columns that some row sets are named: most rows set half of them.
  const fields = fieldsPresent(rows, SQL_FIELDS)
  const columns = columnsOfRows(fields, rows)
  const values: Array<Given> = []
  const { source, expressions } = tabulate(values, columns)
  // An id that all rows have is no list, and would insert one row: it stands there as often as it was given.
  const from = source === '' ? `generate_series(1, ${rows.length})` : source
  const names = fields.flatMap((field) => field.columns).join(', ')
  const selected = `select ${expressions.join(', ')}${rows.length === 1 ? '' : ` from ${from}`}`
  return { text: `insert into ${table} (${names}) ${selected}`, values }
}

function columnsOfRows(fields: ReadonlyArray<SqlField>, rows: ReadonlyArray<ExecutionRow>): Array<Column> {
  const columns: Array<{ type: string; cells: Array<SqlValue> }> = []
  for (const field of fields) {
    const own = field.columns.map((column) => ({ type: typeOf(column), cells: [] as Array<SqlValue> }))
    const written: Array<SqlValue> = []
    for (const row of rows) {
      written.length = 0
      field.write(written, row[field.name])
      for (const [index, column] of own.entries()) {
        column.cells.push(written[index] ?? null)
      }
    }
    columns.push(...own)
  }
  return columns
}

function chunksOf(rows: ReadonlyArray<ExecutionRow>): Array<Array<ExecutionRow>> {
  const chunks: Array<Array<ExecutionRow>> = []
  let characters = Infinity
  for (const row of rows) {
    const { runInput, runOutput = '', output = '' } = row
    const own = runInput.length + runOutput.length + output.length
    if (characters + own > CHARACTERS_PER_STATEMENT) {
      chunks.push([])
      characters = 0
    }
    characters += own
    chunks.at(-1)?.push(row)
  }
  return chunks
}
