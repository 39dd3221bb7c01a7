/** A round: work is enqueued, processes run it while they are disturbed, and the end is judged. */

import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { DurableExecutor, type DurableStorage } from '../../../src/index.ts'
import {
  ALL_STATUSES,
  ACTIVE_STATUSES,
  type ExecutionRow,
  FINISHED_STATUSES,
} from '../../../src/machine/execution.ts'
import { check, type Disturbance, type Evidence, type Finding, type Sighting } from './check.ts'
import { Crew } from './crew.ts'
import { isStandstill, type LedgerLine, readLedger } from './ledger.ts'
import { disturb } from './nemesis.ts'
import { openStorage, type Place } from './places.ts'
import { executionsOf, Producer, type Workload } from './producer.ts'
import { checkWithSql } from './sql-checks.ts'
import { storyOf } from './story.ts'
import { defineTasks } from './tasks.ts'

export type RoundOptions = {
  openPlace: (folder: string) => Place | Promise<Place>
  workers: number
  workload: Workload
  /** How long everything may take to end once nobody is disturbed any more. */
  settleMs?: number
  expireMs?: number
  slots?: number
  random?: () => number
  onProgress?: (line: string) => void
}

/** What a round was like, in numbers. */
export type Figures = {
  enqueued: number
  executions: number
  starts: number
  kills: number
  stalls: number
  restarts: number
  disconnects: number
  /** How often a process said that it could do nothing for a while: what is excused by that. */
  standstills: number
  /** Starts beyond the first of an attempt: what kills and stalls have cost. */
  repeatedStarts: number
  cancelled: number
  refused: number
  seconds: number
  /** Executions a second. */
  rate: number
}

export type Outcome = {
  figures: Figures
  findings: Array<Finding>
  /** What happened around the first findings, to be read by whoever looks for the reason. */
  stories: Array<string>
}

const EXPIRE_MS = 2_000
const SLOTS = 20
const POLL_MS = 500
// A round whose work is done early goes on until it was disturbed enough, and one that is too slow is let be.
const MIN_KILLS = 5
const DISTURB_MS = 90_000
const STRIKES = 30

// Two lines of the ledger for each.
const BYTES_AN_EXECUTION = 150
const SETTLE_MS = 120_000
const STORIES = 5
const LOOK_EVERY_MS = 200
const SEE_EVERY_MS = 4_000

/** Plays a round; whatever happens, no process, file or schema is left. */
async function playRound(options: RoundOptions): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'durable-execution-harness-'))
  const ledger = join(folder, 'ledger')
  writeFileSync(ledger, '')
  const place = await options.openPlace(folder)
  const storage = openStorage(place.name)
  const { expireMs = EXPIRE_MS, slots = SLOTS } = options
  const crew = new Crew({ place: place.name, ledger, expireMs, slots, pollMs: POLL_MS })
  const quiet = (): void => {}
  const client = new DurableExecutor(storage, {
    expireMs,
    logger: { debug: quiet, info: quiet, error: quiet },
  })
  try {
    return await play(options, { place, storage, crew, client, ledger, expireMs })
  } finally {
    await crew.killAll()
    await client.shutdown()
    await storage.close()
    await place.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Plays rounds until so long has passed, at least one; ends with the first that has findings. */
export async function* playRounds(durationMs: number, options: RoundOptions): AsyncGenerator<Outcome> {
  const endsAt = performance.now() + durationMs
  do {
    const outcome = await playRound(options)
    yield outcome
    if (outcome.findings.length > 0) {
      return
    }
  } while (performance.now() < endsAt)
}

type World = {
  place: Place
  storage: DurableStorage
  crew: Crew
  client: DurableExecutor
  ledger: string
  expireMs: number
}

async function play(options: RoundOptions, world: World): Promise<Outcome> {
  const { place, storage, crew, client, ledger, expireMs } = world
  const { workers, workload, random = Math.random, settleMs = SETTLE_MS } = options
  const tasks = defineTasks(client, { note: () => {}, pause: () => Promise.resolve() }, 'client')
  await storage.migrate?.()
  await crew.start(workers)
  const beganAt = performance.now()
  const seconds = (): number => (performance.now() - beganAt) / 1_000
  const producer = new Producer(client, tasks, random)
  const sightings = new Map<string, Sighting>()

  const isOver = new AbortController()
  const disturbing = disturb(crew, {
    place,
    expireMs,
    random,
    until: isOver.signal,
    done: () => statSync(ledger).size,
    every: (executionsOf(workload) * BYTES_AN_EXECUTION) / STRIKES,
  })
  const seeing = see(storage, sightings, isOver.signal, (count) => {
    const { kills, stalls } = { kills: crew.count('kill'), stalls: crew.count('stall') }
    options.onProgress?.(`${seconds().toFixed(0)} s: ${count} finished, ${kills} kills, ${stalls} stalls`)
  })
  await producer.produce(workload)
  await settled(storage, DISTURB_MS, () => crew.count('kill') >= MIN_KILLS)
  isOver.abort()
  await Promise.all([disturbing, seeing])
  const isSettled = await settled(storage, settleMs)
  const took = seconds()
  const badExits = await crew.stop()

  const rows = await readAll(storage, ALL_STATUSES)
  const { disturbances, versions } = crew
  const { acknowledged, cancels, refused } = producer
  const lines = readLedger(ledger)
  const evidence: Evidence = {
    rows,
    ledger: lines,
    acknowledged,
    cancels,
    sightings: [...sightings.values()],
    disturbances: [...disturbances, ...(place.name.kind === 'sqlite' ? stallsOfAll(lines) : [])],
    versions,
  }
  const findings = [...check(evidence), ...(await checkWithSql(place))]
  if (!isSettled) {
    findings.push({
      promise: 'nothing is stuck',
      executionId: '',
      sentence: `not settled after ${settleMs} ms`,
    })
  }
  for (const code of badExits) {
    findings.push({ promise: 'nothing is stuck', executionId: '', sentence: `a worker ended with ${code}` })
  }
  const stories = findings
    .slice(0, STORIES)
    .map((finding) => [finding.executionId, ...storyOf(evidence, finding)].join('\n  '))
  return { figures: figuresOf(evidence, crew, refused, took), findings, stories }
}

/**
 * A process that stood still, be it for the disk to write its commit, may have done so with the lock of a SQLite file
 * in its hand: then nobody could renew a lease.
 */
function stallsOfAll(ledger: ReadonlyArray<LedgerLine>): Array<Disturbance> {
  return ledger
    .filter(({ what }) => what === 'stall')
    .map(({ at }) => ({ kind: 'stall', pid: undefined, at }))
}

/** Whether, within the time, nothing is active or open any more, and the condition holds. */
async function settled(
  storage: DurableStorage,
  withinMs: number,
  isEnough: () => boolean = () => true,
): Promise<boolean> {
  const lastAt = performance.now() + withinMs
  while (performance.now() < lastAt) {
    if (isEnough() && (await through(() => isSettled(storage)))) {
      return true
    }
    await pause(LOOK_EVERY_MS)
  }
  return false
}

async function isSettled(storage: DurableStorage): Promise<boolean> {
  return await storage.withTransaction(async (tx) => {
    const active = await tx.getTaskExecutionIds({ type: 'by_statuses', statuses: [...ACTIVE_STATUSES] }, 1)
    const statuses = [...FINISHED_STATUSES]
    const open = await tx.getTaskExecutionIds({ type: 'by_statuses', statuses, isClosed: false }, 1)
    return active.length === 0 && open.length === 0
  })
}

/** Remembers how each execution looks when it is first seen finished. */
async function see(
  storage: DurableStorage,
  sightings: Map<string, Sighting>,
  until: AbortSignal,
  onLook: (count: number) => void,
): Promise<void> {
  while (!until.aborted) {
    for (const row of await through(() => readAll(storage, FINISHED_STATUSES))) {
      const { executionId, status, output, error, finishedAt } = row
      if (!sightings.has(executionId)) {
        sightings.set(executionId, { executionId, status, output, error, finishedAt })
      }
    }
    onLook(sightings.size)
    await pause(SEE_EVERY_MS, undefined, { signal: until }).catch(() => {})
  }
}

async function readAll(
  storage: DurableStorage,
  statuses: ReadonlyArray<ExecutionRow['status']>,
): Promise<Array<ExecutionRow>> {
  return await storage.withTransaction(
    async (tx) => await tx.getTaskExecutions({ type: 'by_statuses', statuses: [...statuses] }),
  )
}

// Looking is disturbed like everything else: connections break, and a stopped process may hold the file's lock.
async function through<T>(look: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await look()
    } catch (error) {
      if (tries === 20) {
        throw error
      }
      await pause(LOOK_EVERY_MS)
    }
  }
}

function figuresOf(evidence: Evidence, crew: Crew, refused: number, seconds: number): Figures {
  const starts = evidence.ledger.filter(({ what }) => what === 'start')
  const attempts = new Set(starts.map(({ executionId, attempt }) => `${executionId} ${attempt}`))
  return {
    enqueued: evidence.acknowledged.length,
    executions: evidence.rows.length,
    starts: starts.length,
    kills: crew.count('kill'),
    stalls: crew.count('stall'),
    restarts: crew.count('restart'),
    disconnects: crew.count('disconnect'),
    standstills: evidence.ledger.filter(isStandstill).length,
    repeatedStarts: starts.length - attempts.size,
    cancelled: evidence.cancels.filter(({ hasCancelled }) => hasCancelled).length,
    refused,
    seconds: Math.round(seconds * 10) / 10,
    rate: Math.round(evidence.rows.length / seconds),
  }
}
