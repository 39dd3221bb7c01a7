/** Inserting rows, many in a statement. */

import { DurableExecutionError } from '../../base/errors.ts'
import { type ExecutionRow } from '../../machine/execution.ts'
import { alreadyExistsMessage } from '../contract.ts'
import { cellsOf } from '../sql/cells.ts'
import { SQL_COLUMNS, type SqlValue } from '../sql/fields.ts'
import { OneRow } from '../sql/one-row.ts'
import { fromSqlText } from '../sql/text.ts'
import { type Statement } from './claim-statements.ts'
import { type Column, tabulate } from './columns.ts'
import { type Given } from './driver.ts'
import { takenId } from './failures.ts'
import { expressionsOf, USUAL_WHEN_NEW } from './one-row.ts'
import { typeOf } from './schema.ts'
import { type Call } from './session.ts'
import { idsOf } from './statements.ts'

// A message of the protocol has a gigabyte at most, and all of it is in memory here and there.
const CHARACTERS_PER_STATEMENT = 64 * 1024 * 1024

/** Where rows are inserted, and what inserts one of them alone. */
export type InsertInto = { readonly table: string; readonly oneRow: OneRow<string> }

export function insertInto(table: string): InsertInto {
  const oneRow = new OneRow(SQL_COLUMNS, USUAL_WHEN_NEW, (parts) => {
    const present = parts.filter(({ kind }) => kind !== 'null')
    const names = present.map(({ column }) => column.name)
    const given = expressionsOf(present, USUAL_WHEN_NEW, 0)
    return `insert into ${table} (${names.join(', ')}) select ${given.join(', ')}`
  })
  return { table, oneRow }
}

/**
 * Inserts the rows: all, or none where an id exists already or a value cannot be stored. One statement, or
 * one for each 64 million characters.
 */
export function insertRows(into: InsertInto, rows: ReadonlyArray<ExecutionRow>): Call<void> {
  const chunks = chunksOf(rows).map((chunk) => insertStatement(into, chunk))
  return async (statements) => {
    if (chunks.length > 1) {
      await statements.together()
    }
    try {
      for (const { text, values } of chunks) {
        await statements.run(text, values)
      }
    } catch (error) {
      const taken = takenId(error)
      throw taken === undefined ? error : alreadyExists(taken, error)
    }
  }
}

const IF_MISSING = ' on conflict (execution_id) do nothing returning execution_id'

/** Inserts the rows whose ids do not exist; gives the ids of those. */
export function insertMissingRows(into: InsertInto, rows: ReadonlyArray<ExecutionRow>): Call<Array<string>> {
  const chunks = chunksOf(rows).map((chunk) => insertStatement(into, chunk))
  return async (statements) => {
    if (chunks.length > 1) {
      await statements.together()
    }
    const inserted: Array<string> = []
    for (const { text, values } of chunks) {
      inserted.push(...idsOf(await statements.run(`${text}${IF_MISSING}`, values)))
    }
    return inserted
  }
}

/** An insert that inserts nothing unless the condition holds; gives the ids of what it inserted. */
export function insertOnlyIf(text: string, condition: string): string {
  return text.endsWith(IF_MISSING)
    ? `${text.slice(0, -IF_MISSING.length)} where ${condition}${IF_MISSING}`
    : `${text} where ${condition} returning execution_id`
}

function alreadyExists(taken: string, cause: unknown): DurableExecutionError {
  return new DurableExecutionError(alreadyExistsMessage(fromSqlText(taken)), false, { cause })
}

function insertStatement({ table, oneRow }: InsertInto, rows: ReadonlyArray<ExecutionRow>): Statement {
  const [only] = rows
  return rows.length === 1 && only !== undefined ? insertOne(oneRow, only) : insertMany(table, rows)
}

function insertOne(oneRow: OneRow<string>, row: ExecutionRow): Statement {
  const values: Array<SqlValue> = []
  return { text: oneRow.of(row, values), values }
}

function insertMany(table: string, rows: ReadonlyArray<ExecutionRow>): Statement {
  const named: Array<{ name: string; column: Column }> = []
  for (const column of SQL_COLUMNS) {
    const cells = cellsOf(column, rows)
    // What is null in all rows is not named: most rows set half of the columns.
    if (cells.kind === 'each' || cells.cell !== null) {
      named.push({ name: column.name, column: { type: typeOf(column.name), cells } })
    }
  }
  const values: Array<Given> = []
  const { source, expressions } = tabulate(
    values,
    named.map(({ column }) => column),
  )
  // An id that all rows have is no list, and would insert one row: it stands there as often as it was given.
  const from = source === '' ? `generate_series(1, ${rows.length})` : source
  const names = named.map(({ name }) => name).join(', ')
  return { text: `insert into ${table} (${names}) select ${expressions.join(', ')} from ${from}`, values }
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
