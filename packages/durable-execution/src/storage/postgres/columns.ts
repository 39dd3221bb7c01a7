/** Columns of values handed to a statement: each as one text, or once where it is the same in all rows. */

import { type SqlCells } from '../sql/cells.ts'
import { type SqlValue } from '../sql/fields.ts'
import { type Given } from './driver.ts'

/** The values of one column, and the type it has in Postgres. */
export type Column = { readonly type: string; readonly cells: SqlCells }

/** How a statement reaches the values. */
export type Table = {
  /** What to read from, to be called `given`; an empty text where each column has one value only. */
  readonly source: string
  /** For each column the expression that is its value. */
  readonly expressions: ReadonlyArray<string>
}

// An insert of 250 rows costs 3.8 µs a row on this side with one long text for each column, 4.3 to 5.2 with
// the arrays of the driver. The separators are characters that texts rarely hold; a column that holds one
// goes as an array.
const SEPARATOR = '\u001F'
const NULL = '\u001E'
const AS_TEXT = `E'\\x1f'`
const NULL_AS_TEXT = `E'\\x1e'`
/** Adds the columns to the values of a statement; those that have a value for each row have the same number of them. */
export function tabulate(values: Array<Given>, columns: ReadonlyArray<Column>): Table {
  const lists: Array<string> = []
  const texts: Array<string | undefined> = []
  const expressions = columns.map(({ type, cells }) => {
    if (cells.kind === 'same') {
      return cells.cell === null ? `null::${type}` : `${bind(values, cells.cell)}::${type}`
    }
    const text = joined(cells.cells)
    // What a run gave and what becomes of it are two columns, and the same in most rows: then they are one list.
    let place = text === undefined ? -1 : texts.indexOf(text)
    if (place < 0) {
      place = texts.push(text) - 1
      lists.push(listOf(values, cells.cells, text))
    }
    return type === 'text' ? `given.c${place + 1}` : `given.c${place + 1}::${type}`
  })
  const names = lists.map((_, index) => `c${index + 1}`)
  const source = lists.length === 0 ? '' : `unnest(${lists.join(', ')}) as given(${names.join(', ')})`
  return { source, expressions }
}

/** Adds a list of texts, which are not empty, to the values; gives the array that it is in the statement. */
export function bindTexts(values: Array<Given>, texts: ReadonlyArray<string>): string {
  const [only] = texts
  return texts.length === 1 && only !== undefined
    ? `array[${bind(values, only)}::text]`
    : asList(values, texts)
}

/** Adds a value; gives the text that stands for it. */
export function bind(values: Array<Given>, value: Given): string {
  values.push(value)
  return `$${values.length}`
}

function asList(values: Array<Given>, cells: ReadonlyArray<SqlValue>): string {
  return listOf(values, cells, joined(cells))
}

function listOf(values: Array<Given>, cells: ReadonlyArray<SqlValue>, text: string | undefined): string {
  return text === undefined
    ? `${bind(
        values,
        cells.map((cell) => (cell === null ? null : String(cell))),
      )}::text[]`
    : `string_to_array(${bind(values, text)}::text, ${AS_TEXT}, ${NULL_AS_TEXT})`
}

/** The cells, two or more, as one text; undefined where one of them holds a separator. An empty cell alone would be no list. */
function joined(cells: ReadonlyArray<SqlValue>): string | undefined {
  // Joined without separators first, since two looks through one long text cost less than one at each cell.
  const all = cells.join('')
  return all.includes(SEPARATOR) || all.includes(NULL)
    ? undefined
    : (cells.includes(null) ? cells.map((cell) => cell ?? NULL) : cells).join(SEPARATOR)
}
