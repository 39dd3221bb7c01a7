/** The plots of the report: throughput, latency and growth, of what was measured. */

import { GROWTH_LINES } from '../growth/lines.ts'
import { type Result } from '../measure/metrics.ts'
import { type EngineName } from '../names.ts'
import { type DotPlot, drawDotPlot } from './dot-plot.ts'
import { mediansOf } from './medians.ts'

/** The files to write, by their names. A test without results has no plot. */
export function drawPlots(
  results: ReadonlyArray<Result>,
  engines: ReadonlyArray<EngineName>,
): Record<string, string> {
  const plots = {
    'throughput.svg': byEngine(results, engines, 'throughput', {
      title: 'Throughput of no-op tasks',
      axis: 'tasks a second',
      series: { enqueuePerSec: 'enqueue', processPerSec: 'process', coldProcessPerSec: 'process, cold' },
    }),
    'latency.svg': byEngine(results, engines, 'latency', {
      title: 'Idle latency, from enqueue to the awaited end',
      axis: 'milliseconds',
      series: { p50Ms: 'p50', p95Ms: 'p95', twoCommitsP50Ms: 'two commits in turn, p50' },
    }),
    'growth.svg': growthPlot(results, engines),
  }
  return Object.fromEntries(
    Object.entries(plots)
      .filter(([, { groups }]) => groups.length > 0)
      .map(([name, plot]) => [name, drawDotPlot(plot)]),
  )
}

function byEngine(
  results: ReadonlyArray<Result>,
  engines: ReadonlyArray<EngineName>,
  test: string,
  { title, axis, series }: { title: string; axis: string; series: Record<string, string> },
): DotPlot {
  const medians = mediansOf(results)
  const groups = engines.flatMap((engine) => {
    const metrics = medians(engine, test)
    return metrics === undefined
      ? []
      : [{ label: engine, values: Object.keys(series).map((name) => metrics[name]) }]
  })
  return { title, axis, series: Object.values(series), groups }
}

function growthPlot(results: ReadonlyArray<Result>, engines: ReadonlyArray<EngineName>): DotPlot {
  const medians = mediansOf(results)
  const measured = engines.filter((engine) => medians(engine, 'growth') !== undefined)
  const groups = GROWTH_LINES.map(({ id, label, beside }) => ({
    label: `${label}, ${beside}`,
    values: measured.map((engine) => medians(engine, 'growth')?.[`${id}Ratio`]),
  }))
  return {
    title: 'Growth: the large beside the small',
    axis: 'ratio, 1 is flat',
    series: measured,
    groups: groups.filter(({ values }) => values.some((value) => value !== undefined)),
  }
}
