import { expect, test } from 'vitest'

import { parseFlags } from '../src/command/flags.ts'

test('without flags, all tests but growth are run on our own engines, warmed up, three times', () => {
  expect(parseFlags([])).toMatchObject({
    engines: ['ours:memory', 'ours:sqlite', 'ours:postgres'],
    tests: ['throughput', 'latency', 'steps', 'fanout', 'idle'],
    amounts: { tasks: 200_000, warm: 10_000, idleSeconds: 60, rows: 1_000_000 },
    runs: 3,
    json: undefined,
    plots: 'bench/results',
  })
})

test('lists are separated by commas, and a name that comes twice counts once', () => {
  const flags = parseFlags(['--engines', 'pg-boss, ours:sqlite,pg-boss', '--tests=latency', '--warm', '0'])
  expect(flags).toMatchObject({
    engines: ['pg-boss', 'ours:sqlite'],
    tests: ['latency'],
    amounts: { warm: 0 },
  })
})

test('all engines, and all tests with growth, can be asked for by one word', () => {
  expect(parseFlags(['--engines', 'all', '--tests', 'all'])).toMatchObject({
    tests: ['throughput', 'latency', 'steps', 'fanout', 'idle', 'growth'],
    engines: [
      'ours:memory',
      'ours:sqlite',
      'ours:postgres',
      'graphile-worker',
      'pg-boss',
      'dbos',
      'openworkflow',
      'bullmq',
      'absurd',
    ],
  })
})

test.each([
  [
    ['--engines', 'ours:memory,mysql'],
    /--engines: there is no 'mysql'.*ours:memory, ours:sqlite.*absurd or all/,
  ],
  [['--engines', ''], /--engines: there is no ''/],
  [['--tests', 'speed'], /--tests: there is no 'speed'.*throughput, latency, steps, fanout, idle, growth/],
  [['--growth', 'depth'], /--growth: there is no 'depth'.*finished-rows, fan-out, chain, payload, processes/],
  [['--redis-fsync', 'no'], /--redis-fsync: there is no 'no'; choose among everysec, always/],
  [['--tasks', '0'], /--tasks must be a whole number, 1 or more; got '0'/],
  [['--tasks', 'many'], /--tasks must be a whole number, 1 or more; got 'many'/],
  [['--warm', '-1'], /'--warm' argument is ambiguous/],
  [['--warm=-1'], /--warm must be a whole number, 0 or more; got '-1'/],
  [['--runs', '1.5'], /--runs must be a whole number, 1 or more; got '1.5'/],
  [['--rows='], /--rows must be a whole number, 1 or more; got ''/],
  [['--fast'], /Unknown option '--fast'.*The flags are --engines, --tests, .*--json, --plots/],
  [['ours:memory'], /Unexpected argument 'ours:memory'.*The flags are/],
])('%j is refused with what there is', (args, message) => {
  const oneLine = new RegExp(message.source, 's')
  expect(() => parseFlags(args)).toThrow(oneLine)
})

test('help is no run', () => {
  expect(parseFlags(['--help', '--runs', 'x'])).toBe('help')
})
