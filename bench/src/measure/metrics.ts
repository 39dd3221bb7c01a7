/** The figures of one run, by name: what goes into the JSON file, and what the tables are made of. */

import { type Usage } from './meter.ts'

export type Metrics = Record<string, number>

/** One run of one test of one engine. */
export type Result = { engine: string; test: string; run: number; metrics: Metrics }

/** Metrics without those that are undefined. */
export function metricsOf(values: Record<string, number | undefined>): Metrics {
  const given = Object.entries(values).filter((entry): entry is [string, number] => entry[1] !== undefined)
  return Object.fromEntries(given)
}

/** What a stretch of work cost, for each of so many things that were done in it. */
export function costOf(usage: Usage, count: number, thing: 'Task' | 'Workflow'): Metrics {
  const micros = (seconds: number | undefined): number | undefined =>
    seconds === undefined ? undefined : (seconds / count) * 1e6
  return metricsOf({
    [`nodeMicrosPer${thing}`]: micros(usage.nodeSeconds),
    [`serverMicrosPer${thing}`]: micros(usage.serverSeconds),
    othersPercent: usage.othersPercent,
  })
}

/** Bytes as megabytes of 1,048,576 bytes, as `top` counts them. */
export function megabytes(bytes: number): number {
  return bytes / 2 ** 20
}

/** The memory that this process holds now, in such megabytes. */
export function rssMb(): number {
  return megabytes(process.memoryUsage.rss())
}
