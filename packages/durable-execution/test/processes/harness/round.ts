/** A round: work is enqueued, processes run it while they are disturbed, and the end is judged. */

import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { DurableExecutor, type DurableStorage } from '../../../src/index.ts'
import { isRecord } from '../../../src/machine/records.ts'
import { between, seededRandom } from './chance.ts'
import { check, type Disturbance, type Evidence, type Finding } from './check.ts'
import { Crew } from './crew.ts'
import { type Figures, figuresOf } from './figures.ts'
import { History } from './history.ts'
import { type LedgerLine, readLedger } from './ledger.ts'
import { readAll, see, settled } from './looking.ts'
import { disturb } from './nemesis.ts'
import { openStorage, type Place } from './places.ts'
import { executionsOf, type Gate, Producer, type Workload } from './producer.ts'
import { checkWithSql } from './sql-checks.ts'
import { storyOf } from './story.ts'
import { defineTasks } from './tasks.ts'

export type RoundOptions = {
  openPlace: (folder: string) => Place | Promise<Place>
  workers: number
  workload: Workload
  /** The work goes on until there were so many kills. */
  kills: number
  /** What the work and the disturbances are drawn from; each further round has the next one. */
  seed: number
  onProgress?: (line: string) => void
}

export type Outcome = {
  figures: Figures
  findings: Array<Finding>
  /** What happened around the first findings, to be read by whoever looks for the reason. */
  stories: Array<string>
  evidence: Evidence
}

const EXPIRE_MS = 2_000
const SLOTS = 20
const POLL_MS = 500
const STRIKES = 60
// Two lines of the ledger for each.
const BYTES_AN_EXECUTION = 150
// A round that is too slow is let be.
const DISTURB_MS = 240_000
// How long everything may take to end once nobody is disturbed any more.
const SETTLE_MS = 120_000
const STORIES = 5
const GATE_MS = 25

// Where the storage has no clock of its own, clocks may differ by a third of the lease; these do by less than that, since
// a lease is shorter by what renewing it takes. Where it has one, they may be wrong by any time.
const OFFSET_MS = { sqlite: EXPIRE_MS / 8, postgres: 3_600_000 }

// What measuring the storage's clock from afar may be off, where more processes run than there are cores.
const MEASURED_SLACK_MS = 250

/** Plays a round; whatever happens, no process, file or schema is left. */
async function playRound(options: RoundOptions): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'durable-execution-harness-'))
  const ledger = join(folder, 'ledger')
  writeFileSync(ledger, '')
  const place = await options.openPlace(folder)
  const storage = openStorage(place.name)
  const random = seededRandom(options.seed)
  const offset = OFFSET_MS[place.name.kind]
  const crew = new Crew(
    { place: place.name, ledger, expireMs: EXPIRE_MS, slots: SLOTS, pollMs: POLL_MS },
    () => between(random, -offset, offset),
  )
  const quiet = (): void => {}
  const client = new DurableExecutor(storage, {
    expireMs: EXPIRE_MS,
    logger: { debug: quiet, info: quiet, error: quiet },
  })
  try {
    return await play(options, { place, storage, crew, client, ledger, random })
  } finally {
    await crew.killAll()
    await client.shutdown()
    await storage.close()
    await place.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Plays rounds until so long has passed, at least one. */
export async function* playRounds(durationMs: number, options: RoundOptions): AsyncGenerator<Outcome> {
  const endsAt = performance.now() + durationMs
  let { seed } = options
  do {
    yield await playRound({ ...options, seed })
    seed += 1
  } while (performance.now() < endsAt)
}

type World = {
  place: Place
  storage: DurableStorage
  crew: Crew
  client: DurableExecutor
  ledger: string
  random: () => number
}

async function play(options: RoundOptions, world: World): Promise<Outcome> {
  const { place, storage, crew, client, ledger, random } = world
  const { workers, workload, seed } = options
  const tasks = defineTasks(client, { note: () => {}, pause: () => Promise.resolve() }, 'client')
  await storage.migrate?.()
  await crew.start(workers)
  const beganAt = performance.now()
  const seconds = (): number => (performance.now() - beganAt) / 1_000
  // Two streams of chance: the work is the same for a seed, however long the strikes take.
  const producer = new Producer(client, tasks, seededRandom(seed + 2 ** 32))
  const history = new History()

  const isOver = new AbortController()
  const disturbing = disturb(crew, {
    place,
    expireMs: EXPIRE_MS,
    workers,
    random,
    until: isOver.signal,
    done: () => statSync(ledger).size,
    every: (executionsOf(workload) * BYTES_AN_EXECUTION) / STRIKES,
  })
  const seeing = see(storage, history, isOver.signal, () => {
    const { size } = history.sightings
    const strikes = `${crew.count('kill')} kills, ${crew.disturbances.length} disturbances in all`
    options.onProgress?.(`${seconds().toFixed(0)} s: ${size} finished, ${strikes}`)
  })
  const [gate, disturbedEnough] = gatesOf(crew, options.kills)
  await producer.produce(workload, gate)
  await disturbedEnough()
  isOver.abort()
  await Promise.all([disturbing, seeing])
  const isSettled = await settled(storage, SETTLE_MS)
  const took = seconds()
  const badExits = await crew.stop()

  const evidence = await gather(world, producer, history)
  const findings = [...check(evidence), ...(await checkWithSql(place)), ...endOf(isSettled, badExits)]
  const stories = findings
    .slice(0, STORIES)
    .map((finding) => [finding.executionId, ...storyOf(evidence, finding)].join('\n  '))
  const { refused } = producer
  const { looks } = history
  const figures = figuresOf(evidence, { seed, refused, looks, seconds: took, strikes: crew.disturbances })
  return { figures, findings, stories, evidence }
}

/**
 * Work that is there before it is due would be done before the last strikes; so there is some left for each of them. And
 * when there were enough, what is left is let be.
 */
function gatesOf(crew: Crew, kills: number): [Gate, () => Promise<void>] {
  const openAt = performance.now() + DISTURB_MS
  const untilKills = async (count: number): Promise<void> => {
    while (crew.count('kill') < count && performance.now() < openAt) {
      await pause(GATE_MS)
    }
  }
  return [(share) => untilKills(kills * (share - 1 / 8)), () => untilKills(kills)]
}

async function gather(
  { place, storage, crew, ledger }: World,
  producer: Producer,
  history: History,
): Promise<Evidence> {
  const all = await readAll(storage)
  history.look(all)
  const { disturbances, versions, offsets } = crew
  const { acknowledged, cancels } = producer
  const lines = readLedger(ledger)
  const isSqlite = place.name.kind === 'sqlite'
  return {
    rows: all.filter((row) => !isRecord(row)),
    records: all.filter(isRecord),
    ledger: lines,
    acknowledged,
    cancels,
    sightings: [...history.sightings.values()],
    history: history.findings,
    disturbances: [...disturbances, ...(isSqlite ? stallsOfAll(lines) : [])],
    versions,
    // A server's clock is the time of all rows, whatever that of the process is.
    offsets: isSqlite ? offsets : new Map<number, number>(),
    clockSlackMs: isSqlite ? 2 * OFFSET_MS.sqlite : MEASURED_SLACK_MS,
  }
}

function endOf(isSettled: boolean, badExits: ReadonlyArray<number | string>): Array<Finding> {
  const stuck = (sentence: string): Finding => ({ promise: 'nothing is stuck', executionId: '', sentence })
  return [
    ...(isSettled ? [] : [stuck(`not settled after ${SETTLE_MS} ms`)]),
    ...badExits.map((code) => stuck(`a worker ended with ${code}`)),
  ]
}

/**
 * A process that stood still, be it for the disk to write its commit, may have done so with the lock of a SQLite file
 * in its hand: then nobody could renew a lease.
 */
function stallsOfAll(ledger: ReadonlyArray<LedgerLine>): Array<Disturbance> {
  return ledger
    .filter(({ what }) => what === 'stall')
    .map(({ at, attempt: ms }) => ({ kind: 'stall', pid: undefined, at, until: at + ms }))
}
