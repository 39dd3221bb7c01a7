/** What the checker takes for a reason why a function began again, and what not. */

import { expect, test } from 'vitest'

import { check } from './check.ts'
import { type LedgerLine } from './ledger.ts'
import { line, NEW, NOW, OLD, ranOnce, rowOf, sound, withLines } from './sound-round.ts'

test.for([
  ['the process was killed', 'kill', OLD],
  ['the process stood still', 'stall', OLD],
  ['the process was told to stop', 'restart', OLD],
  ['everybody stood still', 'stall', undefined],
  ['it was replaced by other code', 'deploy', OLD],
  ['it left', 'leave', OLD],
  ['the table was locked', 'lock', undefined],
  ['the server was away', 'outage', undefined],
] as const)('a second start is explained when %s', ([, kind, pid]) => {
  const evidence = withLines(line('start', 'a', 300, { pid: NEW }))
  expect(check({ ...evidence, disturbances: [{ kind, pid, at: NOW + 100, until: NOW + 100 }] })).toEqual([])
})

test('a second start is explained when the process had waited for a lock, and not when another one had', () => {
  const wait = (pid: number): LedgerLine => line('wait', '-', 50, { pid })
  expect(check(withLines(line('start', 'a', 300, { pid: NEW }), wait(OLD)))).toEqual([])
  const findings = check(withLines(line('start', 'a', 300, { pid: NEW }), wait(NEW + 1)))
  expect(findings.map(({ promise }) => promise)).toContain('starts are explained')
})

test('a second start is explained when the process had stood still before the first, and began late', () => {
  const evidence = withLines(line('start', 'a', 300, { pid: NEW }))
  const stall = { kind: 'stall', pid: OLD, at: NOW - 3_000, until: NOW - 1_000 } as const
  expect(check({ ...evidence, disturbances: [stall] })).toEqual([])
})

test.for([
  ['a lost connection', { kind: 'disconnect', pid: undefined, at: NOW + 100, until: NOW + 100 }],
  ['who joined', { kind: 'join', pid: undefined, at: NOW + 100, until: NOW + 100 }],
  ['what happened to another process', { kind: 'kill', pid: NEW, at: NOW + 100, until: NOW + 100 }],
  ['what happened later', { kind: 'kill', pid: OLD, at: NOW + 5_000, until: NOW + 5_000 }],
  ['a stall that was long over', { kind: 'stall', pid: OLD, at: NOW - 9_000, until: NOW - 5_000 }],
] as const)('a second start is not explained by %s', ([, disturbance]) => {
  const evidence = withLines(line('start', 'a', 300, { pid: NEW }))
  const findings = check({ ...evidence, disturbances: [disturbance] })
  expect(findings.map(({ promise }) => promise)).toContain('starts are explained')
})

test('a run is judged by the clock of its process', () => {
  const later = (ms: number): Date => new Date(NOW + 600 + ms)
  const times = { createdAt: later(0), startAt: later(0), startedAt: later(0), finishedAt: later(500) }
  const rows = [rowOf('a', 'plain', times)]
  const evidence = { ...sound(), rows, ledger: ranOnce('a', 'plain'), sightings: [] }
  expect(check(evidence).map(({ promise }) => promise)).toContain('nothing runs before its time')
  expect(check({ ...evidence, offsets: new Map([[OLD, 600]]) })).toEqual([])
})
