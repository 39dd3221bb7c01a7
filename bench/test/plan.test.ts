import { expect, test } from 'vitest'

import { type Candidate, makePlan, type Planned } from '../src/command/plan.ts'
import { loadEngine } from '../src/engines/load.ts'
import { type EngineName, GROWTH_PARTS } from '../src/names.ts'

test('runs of one test follow each other engine by engine, after the limits of their storages', async () => {
  const { jobs } = makePlan(
    { tests: ['throughput', 'latency'], runs: 2, growth: [] },
    await candidates('ours:memory', 'ours:sqlite', 'pg-boss'),
  )
  const once = [
    'limit of file',
    'limit of postgres',
    'ours:memory throughput',
    'ours:sqlite throughput',
    'pg-boss throughput',
    'ours:memory latency',
    'ours:sqlite latency',
    'pg-boss latency',
  ]
  expect(jobs.map(nameOf)).toEqual([...once, ...once])
  expect(jobs.map(({ run }) => run)).toEqual([...once.map(() => 1), ...once.map(() => 2)])
})

test('idle and growth are run once, and growth on our own storages alone', async () => {
  const { jobs, leftOut } = makePlan(
    { tests: ['idle', 'growth'], runs: 3, growth: ['chain', 'processes'] },
    await candidates('ours:memory', 'graphile-worker'),
  )
  expect(jobs.map(nameOf)).toEqual(['ours:memory idle', 'graphile-worker idle', 'ours:memory chain'])
  expect(leftOut).toEqual([
    { engine: 'ours:memory', what: 'growth, processes', why: 'the memory of a process is its own' },
    { engine: 'graphile-worker', what: 'growth', why: 'growth is measured on our own storages' },
  ])
})

test('an engine that is not here, or lacks what a test needs, is left out with the reason', async () => {
  const [bullmq, graphile] = await candidates('bullmq', 'graphile-worker')
  const missing = { ...given(bullmq), missing: 'there is no redis-server on the PATH' }
  const { jobs, leftOut } = makePlan(
    { tests: ['throughput', 'fanout'], runs: 1, growth: [...GROWTH_PARTS] },
    [missing, given(graphile)],
  )
  expect(jobs.map(nameOf)).toEqual(['limit of postgres', 'graphile-worker throughput'])
  expect(leftOut).toEqual([
    { engine: 'bullmq', what: 'all tests', why: 'there is no redis-server on the PATH' },
    { engine: 'graphile-worker', what: 'fanout', why: 'it has no parents with children' },
  ])
})

async function candidates(...names: Array<EngineName>): Promise<Array<Candidate>> {
  return await Promise.all(
    names.map(async (name) => ({ name, engine: await loadEngine(name), missing: undefined })),
  )
}

function given(candidate: Candidate | undefined): Candidate {
  if (candidate === undefined) {
    throw new Error('There is no such candidate')
  }
  return candidate
}

function nameOf(planned: Planned): string {
  switch (planned.kind) {
    case 'workload':
      return `${planned.engine} ${planned.test}`
    case 'limit':
      return `limit of ${planned.storage}`
    case 'growth':
      return `${planned.engine} ${planned.part}`
  }
}
