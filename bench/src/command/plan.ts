/** What is run, in which order, and what is left out and why. */

import { type Engine } from '../engines/engine.ts'
import { type LimitedStorage } from '../job.ts'
import { type EngineName, type GrowthPart, isPeer, type TestName, type WorkloadName } from '../names.ts'
import { type Flags } from './flags.ts'

export type Planned =
  | { kind: 'workload'; engine: EngineName; test: WorkloadName; run: number }
  | { kind: 'limit'; storage: LimitedStorage; run: number }
  | { kind: 'growth'; engine: EngineName; part: GrowthPart; run: number }

export type LeftOut = { engine: EngineName; what: string; why: string }

export type Plan = { jobs: Array<Planned>; leftOut: Array<LeftOut> }

/** An engine with its name and, where it cannot be run here at all, the reason. */
export type Candidate = { name: EngineName; engine: Engine; missing: string | undefined }

// What happens in a quiet minute, or in one large table, is the same each time.
const ONCE: ReadonlyArray<TestName> = ['idle', 'growth']

const MEMORY_LACKS: Partial<Record<GrowthPart, string>> = {
  'finished-rows': 'what is kept in memory is not kept for long',
  processes: 'the memory of a process is its own',
}

/** Runs of one test follow each other engine by engine, so that what else the machine does meets all alike. */
export function makePlan(
  { tests, runs, growth }: Pick<Flags, 'tests' | 'runs' | 'growth'>,
  candidates: ReadonlyArray<Candidate>,
): Plan {
  const here = candidates.filter(({ missing }) => missing === undefined)
  const jobs: Array<Planned> = []
  for (let run = 1; run <= runs; run += 1) {
    for (const test of tests.filter((name) => run === 1 || !ONCE.includes(name))) {
      if (test === 'growth') {
        jobs.push(...growthJobs(here, growth, run))
      } else {
        const able = here.filter(({ engine }) => engine.lacks?.[test] === undefined)
        jobs.push(...(test === 'throughput' ? limitJobs(able, run) : []))
        jobs.push(...able.map(({ name }) => ({ kind: 'workload' as const, engine: name, test, run })))
      }
    }
  }
  return { jobs, leftOut: candidates.flatMap((candidate) => whatIsLeftOut(candidate, tests, growth)) }
}

function limitJobs(candidates: ReadonlyArray<Candidate>, run: number): Array<Planned> {
  return (['file', 'postgres'] as const)
    .filter((storage) => candidates.some(({ engine }) => engine.server === storage))
    .map((storage) => ({ kind: 'limit', storage, run }))
}

function growthJobs(
  candidates: ReadonlyArray<Candidate>,
  parts: ReadonlyArray<GrowthPart>,
  run: number,
): Array<Planned> {
  return parts.flatMap((part) =>
    candidates
      .filter((candidate) => whyNoGrowth(candidate, part) === undefined)
      .map(({ name }) => ({ kind: 'growth' as const, engine: name, part, run })),
  )
}

function whyNoGrowth({ name }: Candidate, part: GrowthPart): string | undefined {
  if (isPeer(name)) {
    return 'growth is measured on our own storages'
  }
  return name === 'ours:memory' ? MEMORY_LACKS[part] : undefined
}

function whatIsLeftOut(
  candidate: Candidate,
  tests: ReadonlyArray<TestName>,
  parts: ReadonlyArray<GrowthPart>,
): Array<LeftOut> {
  const { name, engine, missing } = candidate
  if (missing !== undefined) {
    return [{ engine: name, what: 'all tests', why: missing }]
  }
  return tests.flatMap((test) => {
    if (test !== 'growth') {
      const why = engine.lacks?.[test]
      return why === undefined ? [] : [{ engine: name, what: test, why }]
    }
    if (isPeer(name)) {
      return [{ engine: name, what: test, why: whyNoGrowth(candidate, 'chain') ?? '' }]
    }
    return parts.flatMap((part) => {
      const why = whyNoGrowth(candidate, part)
      return why === undefined ? [] : [{ engine: name, what: `growth, ${part}`, why }]
    })
  })
}
