/** The runs of one test of one engine made one: of each figure the median. */

import { type Metrics, type Result } from '../measure/metrics.ts'
import { median } from '../measure/quantile.ts'

/** The figures of an engine in a test; undefined if it was not measured. */
export type Medians = (engine: string, test: string) => Metrics | undefined

export function mediansOf(results: ReadonlyArray<Result>): Medians {
  return (engine, test) => {
    const runs = results.filter((result) => result.engine === engine && result.test === test)
    return runs.length === 0 ? undefined : medianMetrics(runs.map(({ metrics }) => metrics))
  }
}

/** A figure that only some of the runs have is the median of those. */
function medianMetrics(runs: ReadonlyArray<Metrics>): Metrics {
  const names = new Set(runs.flatMap((metrics) => Object.keys(metrics)))
  return Object.fromEntries(
    [...names].map((name) => [
      name,
      median(runs.flatMap(({ [name]: value }) => (value === undefined ? [] : [value]))),
    ]),
  )
}
