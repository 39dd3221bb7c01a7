/** Runs what is planned, one job after another, and gathers the figures. */

import { loadEngine } from '../engines/load.ts'
import { type Job, type LimitedStorage } from '../job.ts'
import { type Metrics, type Result } from '../measure/metrics.ts'
import { isPeer } from '../names.ts'
import { type Flags } from './flags.ts'
import { installPeers, whatIsMissing } from './peers.ts'
import { createPlaces, type Place, type Places } from './places.ts'
import { type Candidate, type LeftOut, makePlan, type Planned } from './plan.ts'
import { type Outcome, runJob } from './run-job.ts'
import { stripOwnFiles } from './stripped.ts'

export type Bench = {
  candidates: Array<Candidate>
  results: Array<Result>
  leftOut: Array<LeftOut>
  failures: Array<string>
}

/** `tell` is given lines about the progress, `save` all results after each; the signal ends it early. */
export async function runBench(
  flags: Flags,
  doors: { tell: (line: string) => void; save: (results: Array<Result>) => void; signal: AbortSignal },
): Promise<Bench> {
  const candidates = await Promise.all(
    flags.engines.map(async (name) => ({
      name,
      engine: await loadEngine(name),
      missing: whatIsMissing(name),
    })),
  )
  if (candidates.some(({ name, missing }) => isPeer(name) && missing === undefined)) {
    installPeers(doors.tell)
  }
  const { jobs, leftOut } = makePlan(flags, candidates)
  const bench: Bench = { candidates, results: [], leftOut, failures: [] }
  const limits = new Map<string, Metrics>()
  const places = createPlaces(flags.redisFsync)
  const stripped = stripOwnFiles()
  const run = async (planned: Planned): Promise<Outcome> =>
    await inPlace(planned, candidates, places, async (place) => {
      const job = jobOf(planned, place, flags)
      return await runJob(job, stripped.flags, flags.timeoutSeconds, doors.signal)
    })
  try {
    for (const [index, planned] of jobs.entries()) {
      doors.signal.throwIfAborted()
      const what = describe(planned)
      const startedAt = performance.now()
      const outcome = await run(planned)
      const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
      doors.tell(`${index + 1} of ${jobs.length}: ${what} (${seconds} s)`)
      if (outcome.kind === 'failed') {
        doors.tell(`${what}: ${outcome.why}\n${outcome.said}`)
        bench.failures.push(`${what}: ${outcome.why}; ${errorIn(outcome.said)}`)
      } else if (planned.kind === 'limit') {
        limits.set(limitKey(planned.storage, planned.run), outcome.metrics)
      } else {
        keep(bench, planned, outcome.metrics, limits)
        doors.save(bench.results)
      }
    }
  } finally {
    await places.close()
    stripped.remove()
  }
  return bench
}

async function inPlace(
  planned: Planned,
  candidates: ReadonlyArray<Candidate>,
  places: Places,
  run: (place: Place) => Promise<Outcome>,
): Promise<Outcome> {
  const place = await places.open(
    planned.kind === 'limit' ? planned.storage : serverOf(planned.engine, candidates),
  )
  try {
    return await run(place)
  } finally {
    await place.remove()
  }
}

function jobOf(planned: Planned, { place, other, serverPid }: Place, { amounts }: Flags): Job {
  const all = { amounts, place, serverPid }
  switch (planned.kind) {
    case 'workload':
      return { ...all, kind: 'workload', engine: planned.engine, test: planned.test, floorPlace: other }
    case 'limit':
      return { ...all, kind: 'limit', storage: planned.storage }
    case 'growth':
      return { ...all, kind: 'growth', engine: planned.engine, part: planned.part, otherPlace: other }
  }
}

/** The parts of growth make one result; the limit of the storage goes into that of the engine on it. */
function keep(
  { candidates, results }: Bench,
  planned: Exclude<Planned, { kind: 'limit' }>,
  metrics: Metrics,
  limits: ReadonlyMap<string, Metrics>,
): void {
  const { engine, run } = planned
  const test = planned.kind === 'growth' ? 'growth' : planned.test
  const before = results.find(
    (result) => result.engine === engine && result.test === test && result.run === run,
  )
  if (before !== undefined) {
    Object.assign(before.metrics, metrics)
    return
  }
  const limit = test === 'throughput' ? limits.get(limitKey(serverOf(engine, candidates), run)) : undefined
  results.push({ engine, test, run, metrics: { ...metrics, ...limit } })
}

function serverOf(
  name: Candidate['name'],
  candidates: ReadonlyArray<Candidate>,
): Candidate['engine']['server'] {
  return candidates.find((candidate) => candidate.name === name)?.engine.server ?? 'nothing'
}

function limitKey(storage: LimitedStorage | Candidate['engine']['server'], run: number): string {
  return `${storage} ${run}`
}

/** The line that names the error; all that was said went to whoever watches. */
function errorIn(said: string): string {
  const lines = said.split('\n').filter((line) => line.trim() !== '')
  return (lines.find((line) => /Error\b.*:/.test(line)) ?? lines.at(-1) ?? 'it said nothing').trim()
}

function describe(planned: Planned): string {
  switch (planned.kind) {
    case 'workload':
      return `${planned.engine}, ${planned.test}, run ${planned.run}`
    case 'limit':
      return `limit of ${planned.storage === 'file' ? 'node:sqlite' : 'pg'}, run ${planned.run}`
    case 'growth':
      return `${planned.engine}, growth, ${planned.part}`
  }
}
