import { expect, test } from 'vitest'

import { type Candidate } from '../src/command/plan.ts'
import { loadEngine } from '../src/engines/load.ts'
import { type Result } from '../src/measure/metrics.ts'
import { type EngineName } from '../src/names.ts'
import { drawDotPlot } from '../src/report/dot-plot.ts'
import { figure, times } from '../src/report/figure.ts'
import { mediansOf } from '../src/report/medians.ts'
import { drawPlots } from '../src/report/plots.ts'
import { formatReport, type Report } from '../src/report/report.ts'
import { formatTable } from '../src/report/table.ts'

const throughput = (engine: string, run: number, processPerSec: number): Result => ({
  engine,
  test: 'throughput',
  run,
  metrics: { enqueuePerSec: 50_000, processPerSec, limitEnqueuePerSec: 100_000, limitProcessPerSec: 40_000 },
})

test('figures have three significant digits', () => {
  expect([12_345.6, 0.123_456, 8, Number.NaN, undefined].map(figure)).toEqual([
    '12,300',
    '0.123',
    '8',
    '–',
    '–',
  ])
  expect(times(30, 20)).toBe('1.50 ×')
  expect(times(30, undefined)).toBe('–')
})

test('of runs each figure is the median by itself', () => {
  const medians = mediansOf([
    throughput('ours:sqlite', 1, 10_000),
    throughput('ours:sqlite', 2, 30_000),
    throughput('ours:sqlite', 3, 20_000),
    throughput('pg-boss', 1, 5_000),
  ])
  expect(medians('ours:sqlite', 'throughput')).toMatchObject({ processPerSec: 20_000, enqueuePerSec: 50_000 })
  expect(medians('ours:sqlite', 'latency')).toBeUndefined()
})

test('a table is Markdown, with texts to the left and figures to the right', () => {
  expect(formatTable(['engine', '/s', 'what'], [['a|b', '1,000', 'x'], ['c']], ['what'])).toBe(
    [
      '| engine |    /s | what |',
      '| ------ | ----: | ---- |',
      '| a\\|b   | 1,000 | x    |',
      '| c      |       |      |',
    ].join('\n'),
  )
})

test('the report says what was measured, what the storage alone reaches, and what was left out', async () => {
  const text = formatReport(
    await report({
      results: [throughput('ours:sqlite', 1, 20_000)],
      failures: ['pg-boss, throughput, run 1: ended with 1; Error: no'],
    }),
  )
  expect(text).toMatch(/^\| ours:sqlite .*\| +50,000 \| +20,000 .*0\.50 × \| +0\.50 ×/m)
  expect(text).toMatch(/^\| limit: node:sqlite alone +\| +100,000 \| +40,000 \|/m)
  expect(text).toMatch(/^\| pg-boss +\| +failed \|/m)
  expect(text).toMatch(/^\| bullmq +\| +left out: there is no redis-server \|/m)
  expect(text).toContain('- bullmq, all tests: there is no redis-server')
  expect(text).toContain('- pg-boss, throughput, run 1: ended with 1; Error: no')
  expect(text).toMatch(/- ours:sqlite: .*synchronous FULL/)
})

test('growth stands as ratios, line by line', async () => {
  const metrics = {
    children100000BaseMicros: 20,
    children100000Micros: 25,
    children100000Ratio: 1.25,
    children100000RssMb: 480,
    processes4BasePerSec: 30_000,
    processes4PerSec: 27_000,
    processes4Ratio: 0.9,
  }
  const text = formatReport(
    await report({
      tests: ['growth'],
      results: [{ engine: 'ours:sqlite', test: 'growth', run: 1, metrics }],
    }),
  )
  expect(text).toMatch(
    /\| a child of 100,000 +\| ours:sqlite +\| of 1,000 +\| +20 µs \| +25 µs \| 1\.25 × \| +480/,
  )
  expect(text).toMatch(
    /\| tasks with 4 processes \| ours:sqlite .* 30,000 \/s \| +27,000 \/s \| +0\.90 × \| +–/,
  )
})

test('there is a plot for each of throughput, latency and growth that was measured', () => {
  const plots = drawPlots([throughput('ours:sqlite', 1, 20_000)], ['ours:sqlite', 'pg-boss'])
  expect(Object.keys(plots)).toEqual(['throughput.svg'])
  expect(plots['throughput.svg']).toMatch(/^<svg [\s\S]*ours:sqlite[\s\S]*20,000[\s\S]*<\/svg>\n$/)
})

test('a plot leaves out what has no place on its scale, and escapes what it is told', () => {
  const svg = drawDotPlot({
    title: 'a < b & c',
    axis: 'ratio',
    series: ['one'],
    groups: [
      { label: 'x', values: [10] },
      { label: 'y', values: [0] },
      { label: 'z', values: [undefined] },
    ],
  })
  expect(svg).toContain('a &lt; b &amp; c')
  expect(svg.match(/r="5"/g)).toHaveLength(2)
  expect(svg).not.toMatch(/NaN|Infinity|undefined/)
})

async function report(some: Partial<Report>): Promise<Report> {
  const names: Array<EngineName> = ['ours:sqlite', 'pg-boss', 'bullmq']
  const candidates: Array<Candidate> = await Promise.all(
    names.map(async (name) => ({
      name,
      engine: await loadEngine(name),
      missing: name === 'bullmq' ? 'there is no redis-server' : undefined,
    })),
  )
  return {
    machine: 'This machine.',
    tests: ['throughput'],
    amounts: { tasks: 100, warm: 10, idleSeconds: 1, rows: 1_000 },
    runs: 1,
    candidates,
    results: [],
    leftOut: [{ engine: 'bullmq', what: 'all tests', why: 'there is no redis-server' }],
    failures: [],
    ...some,
  }
}
