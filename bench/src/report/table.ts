/** A table in Markdown. */

/** Each row has a cell for each title. Columns of figures stand to the right, the first one and other texts to the left. */
export function formatTable(
  titles: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string>>,
  texts: ReadonlyArray<string> = [],
): string {
  const isText = (column: number): boolean => column === 0 || texts.includes(titles[column] ?? '')
  const cells = [titles, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')))
  const widths = titles.map((_, column) => Math.max(3, ...cells.map((row) => (row[column] ?? '').length)))
  const line = (row: ReadonlyArray<string>): string =>
    `| ${widths.map((width, column) => pad(row[column] ?? '', width, isText(column))).join(' | ')} |`
  const rule = widths.map((width, column) =>
    isText(column) ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  )
  const [head = [], ...body] = cells
  return [line(head), `| ${rule.join(' | ')} |`, ...body.map(line)].join('\n')
}

function pad(cell: string, width: number, isText: boolean): string {
  return isText ? cell.padEnd(width) : cell.padStart(width)
}
