/**
 * What the growth test compares: each line is a figure at a larger size beside the same at a small one, and their
 * ratio. In the metrics of a result they are named after the line's id, with `Base` before the figure of the small one.
 */

import { type Metrics } from '../measure/metrics.ts'
import { type GrowthPart } from '../names.ts'

export type GrowthLine = {
  part: GrowthPart
  id: string
  /** What is measured at the larger size, and beside what. */
  label: string
  beside: string
  /** Microseconds for each piece, where flat is 1 and more is worse; or pieces a second, where less is worse. */
  figure: 'Micros' | 'PerSec'
}

export const CHILDREN = [10, 1_000, 10_000, 100_000] as const
export const LEVELS = [10, 100, 900] as const
export const PAYLOAD_KB = [1, 64, 1_024] as const
export const PROCESSES = [1, 2, 4] as const

/** Fan-outs are compared with this one: a smaller one is mostly the latency of its three parts. */
export const BASE_CHILDREN = 1_000

export const GROWTH_LINES: ReadonlyArray<GrowthLine> = [
  ...['enqueue', 'claim'].map((verb) => ({
    part: 'finished-rows' as const,
    id: `finishedRows${capital(verb)}`,
    label: `${verb} a row beside finished rows`,
    beside: 'beside none',
    figure: 'Micros' as const,
  })),
  ...CHILDREN.filter((size) => size !== BASE_CHILDREN).map((size) => ({
    part: 'fan-out' as const,
    id: `children${size}`,
    label: `a child of ${readable(size)}`,
    beside: `of ${readable(BASE_CHILDREN)}`,
    figure: 'Micros' as const,
  })),
  ...LEVELS.slice(1).map((levels) => ({
    part: 'chain' as const,
    id: `levels${levels}`,
    label: `a level of a chain of ${readable(levels)}`,
    beside: `of ${readable(LEVELS[0])}`,
    figure: 'Micros' as const,
  })),
  ...PAYLOAD_KB.slice(1).map((size) => ({
    part: 'payload' as const,
    id: `payload${size}Kb`,
    label: `a task with ${readable(size)} KB in and out`,
    beside: `with ${readable(PAYLOAD_KB[0])} KB`,
    figure: 'Micros' as const,
  })),
  ...PROCESSES.slice(1).map((count) => ({
    part: 'processes' as const,
    id: `processes${count}`,
    label: `tasks with ${count} processes`,
    beside: `with ${PROCESSES[0]}`,
    figure: 'PerSec' as const,
  })),
]

/** The metrics of a line. */
export function lineMetrics(id: string, base: number, figure: number): Metrics {
  const line = GROWTH_LINES.find((one) => one.id === id)
  if (line === undefined) {
    throw new Error(`There is no line ${id} in GROWTH_LINES`)
  }
  return {
    [`${id}Base${line.figure}`]: base,
    [`${id}${line.figure}`]: figure,
    [`${id}Ratio`]: figure / base,
  }
}

function capital(word: string): string {
  return `${word.charAt(0).toUpperCase()}${word.slice(1)}`
}

function readable(size: number): string {
  return size.toLocaleString('en')
}
