/** The log of long runs. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, onTestFinished, test } from 'vitest'

import { appendRun } from '../../../../scripts/reliability/log.ts'
import { tableOf } from '../../../../scripts/reliability/sums.ts'

test('each run adds a line, with the commit that ran and the moment it was through', () => {
  const folder = mkdtempSync(join(tmpdir(), 'durable-execution-log-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'reliability/log.jsonl')
  const since = new Date().toISOString()
  const first = appendRun({ kind: 'soak', executions: 7 }, path)
  appendRun({ kind: 'chaos' }, path)
  const lines = readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as typeof first)
  expect(lines.map(({ kind }) => kind)).toEqual(['soak', 'chaos'])
  expect(lines[0]).toEqual(first)
  expect(first.executions).toBe(7)
  expect(first.commit).toMatch(/^[0-9a-f]{40}$/)
  expect(typeof first.isDirty).toBe('boolean')
  expect(first.date >= since).toBe(true)
})

const origin = { commit: 'c', isDirty: false, date: '2026-01-01T00:00:00.000Z' }

test('runs of one kind and storage are summed in one line', () => {
  const heap = { bound: 'heap: bytes for 100,000 tasks', measured: 524_288, limit: 1_048_576, isKept: true }
  const table = tableOf([
    { ...origin, kind: 'simulation', seeds: 1_000, events: 5_000, violations: 0, seconds: 90 },
    { ...origin, kind: 'simulation', seeds: 2_000, events: 7_000, violations: 1, seconds: 30 },
    { ...origin, kind: 'soak', storage: 'sqlite', minutes: 30, executions: 9, wrong: 0, verdicts: [heap] },
  ])
  expect(table.split('\n').slice(2)).toEqual([
    '| simulation | 2 | 2 | 3,000 seeds, 12,000 events, 1 violations |',
    '| soak, sqlite | 1 | 30 | 9 executions, 0 wrong, 0.50 MiB of heap for 100,000 executions |',
  ])
})

test('a run that says nothing of the engine is not summed, and stands below the table with the reason', () => {
  const run = { ...origin, kind: 'simulation', seeds: 1, events: 2, violations: 3, seconds: 4 }
  const table = tableOf([run, { ...run, leftOut: 'the machine was asleep' }])
  expect(table.split('\n').slice(2)).toEqual([
    '| simulation | 1 | 0 | 1 seeds, 2 events, 3 violations |',
    '',
    'Left out:',
    '',
    '- simulation, 2026-01-01T00:00: the machine was asleep',
  ])
})

test('a bound that a soak broke is named, and one that was not judged says so', () => {
  const broken = { bound: 'handles', measured: 9, limit: 4, isKept: false }
  const soak = { ...origin, kind: 'soak', storage: 'postgres', minutes: 1, executions: 1, wrong: 0 }
  expect(tableOf([{ ...soak, verdicts: [broken] }])).toContain('not judged, **broken: handles**')
})

test('a line that lacks a figure, or is of no known kind, is an error', () => {
  expect(() => tableOf([{ ...origin, kind: 'simulation', seeds: 1 }])).toThrow('lacks a number')
  expect(() => tableOf([{ ...origin, kind: 'dance' }])).toThrow('no kind of run dance')
})
