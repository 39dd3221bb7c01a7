/** A plot in SVG: a row for each figure, with a dot on a logarithmic scale and the figure beside it. */

import { figure } from './figure.ts'

export type DotPlot = {
  title: string
  /** What the names of the series mean together, and the unit. */
  axis: string
  series: ReadonlyArray<string>
  groups: ReadonlyArray<{ label: string; values: ReadonlyArray<number | undefined> }>
}

const WIDTH = 860
const LEFT = 300
const RIGHT = 80
const TOP = 76
const ROW = 18
const GAP = 10
const BOTTOM = 36
const COLOURS = ['#1f6feb', '#d1600a', '#2da44e', '#8250df', '#bf3989', '#57606a']

type Row = { y: number; label: string; values: ReadonlyArray<number | undefined> }

export function drawDotPlot({ title, axis, series, groups }: DotPlot): string {
  const [from, to] = decades(groups.flatMap(({ values }) => values))
  const x = (value: number): number =>
    LEFT + ((Math.log10(value) - from) / (to - from)) * (WIDTH - LEFT - RIGHT)
  const groupHeight = series.length * ROW + GAP
  const bottom = TOP + groups.length * groupHeight
  const rows = groups.map((group, index) => ({ ...group, y: TOP + index * groupHeight }))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${bottom + BOTTOM}" font-family="sans-serif" font-size="12">`,
    `<title>${escape(title)}</title>`,
    '<rect width="100%" height="100%" fill="#ffffff"/>',
    text(16, 26, title, 'font-size="16" font-weight="bold"'),
    ...legend(series),
    ...Array.from({ length: to - from + 1 }, (_, index) => grid(from + index, x, bottom)),
    text(LEFT, bottom + 30, `${axis}, logarithmic`, 'fill="#57606a"'),
    ...rows.flatMap((row) => drawGroup(row, x)),
    '</svg>',
    '',
  ].join('\n')
}

/** The powers of ten that hold all values between them. */
function decades(values: ReadonlyArray<number | undefined>): [from: number, to: number] {
  const logs = values.filter(isDrawn).map((value) => Math.log10(value))
  if (logs.length === 0) {
    return [0, 1]
  }
  const from = Math.floor(Math.min(...logs))
  return [from, Math.max(from + 1, Math.ceil(Math.max(...logs)))]
}

function drawGroup({ y, label, values }: Row, x: (value: number) => number): Array<string> {
  const marks = values.flatMap((value, index) => {
    if (!isDrawn(value)) {
      return []
    }
    const middle = y + index * ROW + ROW / 2
    const colour = COLOURS[index % COLOURS.length] ?? ''
    return [
      `<line x1="${LEFT}" x2="${x(value).toFixed(1)}" y1="${middle}" y2="${middle}" stroke="${colour}" stroke-opacity="0.3"/>`,
      `<circle cx="${x(value).toFixed(1)}" cy="${middle}" r="5" fill="${colour}"/>`,
      text(x(value) + 9, middle + 4, figure(value)),
    ]
  })
  return [text(LEFT - 10, y + ROW / 2 + 4, label, 'text-anchor="end"'), ...marks]
}

function legend(series: ReadonlyArray<string>): Array<string> {
  const step = (WIDTH - 32) / Math.max(1, series.length)
  return series.flatMap((name, index) => {
    const left = 16 + index * step
    return [
      `<circle cx="${left + 5}" cy="48" r="5" fill="${COLOURS[index % COLOURS.length] ?? ''}"/>`,
      text(left + 16, 52, name),
    ]
  })
}

function grid(decade: number, x: (value: number) => number, bottom: number): string {
  const at = x(10 ** decade).toFixed(1)
  return [
    `<line x1="${at}" x2="${at}" y1="${TOP - 6}" y2="${bottom}" stroke="#d0d7de"/>`,
    text(Number(at), bottom + 14, figure(10 ** decade), 'text-anchor="middle" fill="#57606a"'),
  ].join('\n')
}

function text(x: number, y: number, content: string, more = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y}" ${more}>${escape(content)}</text>`
}

/** Zero and less have no place on the scale. */
function isDrawn(value: number | undefined): value is number {
  return value !== undefined && Number.isFinite(value) && value > 0
}

function escape(content: string): string {
  return content
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
