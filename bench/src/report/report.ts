/** The whole report in Markdown: the machine, a table for each test, what was left out, and the settings. */

import { type Candidate, type LeftOut } from '../command/plan.ts'
import { GROWTH_LINES, type GrowthLine } from '../growth/lines.ts'
import { type Amounts } from '../job.ts'
import { type Metrics, type Result } from '../measure/metrics.ts'
import { type EngineName, type TestName, type WorkloadName } from '../names.ts'
import { figure, times } from './figure.ts'
import { type Medians, mediansOf } from './medians.ts'
import { LIMIT_NAMES, sectionOf } from './sections.ts'
import { formatTable } from './table.ts'

/** Titles of columns that hold no figures. */
const TEXTS = ['what runs', 'engine', 'beside']

export type Report = {
  machine: string
  tests: ReadonlyArray<TestName>
  amounts: Amounts
  runs: number
  candidates: ReadonlyArray<Candidate>
  results: ReadonlyArray<Result>
  leftOut: ReadonlyArray<LeftOut>
  failures: ReadonlyArray<string>
}

export function formatReport(report: Report): string {
  const medians = mediansOf(report.results)
  const parts = [
    `## Benchmarks\n\n${report.machine}`,
    ...report.tests.map((test) =>
      test === 'growth' ? growthSection(report, medians) : workloadSection(report, test, medians),
    ),
    notes(
      'Left out',
      report.leftOut.map(({ engine, what, why }) => `${engine}, ${what}: ${why}`),
    ),
    notes('Failed', report.failures),
    notes(
      'Settings',
      report.candidates
        .filter(({ missing }) => missing === undefined)
        .map(({ name, engine }) => `${name}: ${engine.settings}`),
    ),
  ]
  return parts.filter((part) => part !== '').join('\n\n')
}

function workloadSection(report: Report, test: WorkloadName, medians: Medians): string {
  const stepsOf = (name: EngineName): string =>
    report.candidates.find((candidate) => candidate.name === name)?.engine.steps ?? ''
  const { title, columns } = sectionOf(test, report.amounts, stepsOf)
  const rows = report.candidates.map(({ name, missing, engine }) => {
    const metrics = medians(name, test)
    const why = missing ?? engine.lacks?.[test]
    if (metrics === undefined) {
      return [name, why === undefined ? 'failed' : `left out: ${why}`]
    }
    return [name, ...columns.map(({ cell }) => cell(metrics, name))]
  })
  const titles = ['engine', ...columns.map((column) => column.title)]
  return `### ${title}\n\n${formatTable(titles, [...rows, ...limitRows(report, test, medians)], TEXTS)}`
}

/** What the storages reach with no engine on top. */
function limitRows({ candidates }: Report, test: WorkloadName, medians: Medians): Array<Array<string>> {
  if (test !== 'throughput') {
    return []
  }
  return (['file', 'postgres'] as const).flatMap((storage) => {
    const beside = candidates
      .filter(({ engine }) => engine.server === storage)
      .map(({ name }) => medians(name, test))
      .find((metrics) => metrics?.['limitEnqueuePerSec'] !== undefined)
    return beside === undefined
      ? []
      : [[LIMIT_NAMES[storage], figure(beside['limitEnqueuePerSec']), figure(beside['limitProcessPerSec'])]]
  })
}

function growthSection({ candidates, amounts }: Report, medians: Medians): string {
  const measured = candidates.flatMap(({ name }) => {
    const metrics = medians(name, 'growth')
    return metrics === undefined ? [] : [{ name, metrics }]
  })
  const rows = GROWTH_LINES.flatMap((line) =>
    measured
      .filter(({ metrics }) => metrics[`${line.id}Ratio`] !== undefined)
      .map(({ name, metrics }) => [labelOf(line, amounts), name, line.beside, ...growthCells(line, metrics)]),
  )
  const titles = ['what', 'engine', 'beside', 'among few', 'among many', 'ratio', 'RSS MB, at most']
  return `### Growth: one among many, beside one among few\n\n${formatTable(titles, rows, TEXTS)}`
}

function labelOf({ part, label }: GrowthLine, { rows }: Amounts): string {
  return part === 'finished-rows' ? label.replace('finished', `${rows.toLocaleString('en')} finished`) : label
}

function growthCells({ id, figure: kind }: GrowthLine, metrics: Metrics): Array<string> {
  const [base, large] = [metrics[`${id}Base${kind}`], metrics[`${id}${kind}`]]
  const cell = kind === 'Micros' ? duration : perSecond
  return [cell(base), cell(large), times(large, base), figure(metrics[`${id}RssMb`])]
}

function duration(micros = Number.NaN): string {
  return micros < 1_000 ? `${figure(micros)} µs` : `${figure(micros / 1_000)} ms`
}

function perSecond(rate: number | undefined): string {
  return `${figure(rate)} /s`
}

function notes(title: string, lines: ReadonlyArray<string>): string {
  return lines.length === 0 ? '' : `### ${title}\n\n${lines.map((line) => `- ${line}`).join('\n')}`
}
