/** Runs tasks in one process for as long as asked, and looks whether anything grows with the work: `npm run soak`. */

import { spawn } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'

import { toNumber } from './reliability/counts.ts'
import { appendRun, originOf } from './reliability/log.ts'
import { Load } from './soak/load.ts'
import { openPlace, type SoakPlace, type StorageName, STORAGES } from './soak/places.ts'
import { countTimers, type Sample, sampleProcess } from './soak/sample.ts'
import { FEWEST_SAMPLES, type Verdict, verdictsOf } from './soak/verdict.ts'

const USAGE = `Runs tasks in one process at a steady rate, and measures every minute what it holds while nothing is under way.
Exit status 1 if a bound was broken.

  --storage memory|sqlite|postgres   default sqlite; Postgres is started, unless DATABASE_URL names one
  --minutes N                        how long; default 10
  --every N                          seconds between two looks; default 60
  --rate N                           executions a second, if the storage can; default 1,000
  --json                             prints JSON alone
  --no-log                           adds no line to reliability/log.jsonl`

const { values } = parseArgs({
  options: {
    storage: { type: 'string', default: 'sqlite' },
    minutes: { type: 'string', default: '10' },
    every: { type: 'string', default: '60' },
    rate: { type: 'string', default: '1000' },
    json: { type: 'boolean', default: false },
    'no-log': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const MIB = 1_048_576

async function main(): Promise<void> {
  const storage = STORAGES.find((name) => name === values.storage)
  if (storage === undefined) {
    throw new Error(`--storage is ${STORAGES.join(', ')}, not ${values.storage}`)
  }
  const everyMs = toNumber('every', values.every, 1) * 1_000
  const looks = Math.floor((toNumber('minutes', values.minutes, 0) * 60_000) / everyMs)
  if (looks < FEWEST_SAMPLES) {
    throw new Error(
      `There must be ${FEWEST_SAMPLES} looks: give more --minutes, or fewer seconds with --every`,
    )
  }
  countTimers()
  const place = await openPlace(storage)
  try {
    await soak(storage, place, looks, everyMs)
  } finally {
    await place.close()
  }
}

async function soak(storage: StorageName, place: SoakPlace, looks: number, everyMs: number): Promise<void> {
  const load = new Load(place.storage, toNumber('rate', values.rate, 1))
  const beganAt = performance.now()
  const minutes = (): number => Math.round((performance.now() - beganAt) / 600) / 100
  await load.start()
  const samples: Array<Sample> = []
  for (let look = 1; look <= looks; look += 1) {
    await pause(Math.max(0, beganAt + look * everyMs - performance.now()))
    await load.rest()
    const ofStorage = await place.sample()
    const sample = { minutes: minutes(), executions: load.executions, ...ofStorage, ...sampleProcess() }
    samples.push(sample)
    print(sample, look === 1)
    load.resume()
  }
  await load.stop()
  const { verdicts, unjudged } = judged(samples)
  for (const { bound, measured, limit, isKept } of values.json ? [] : verdicts) {
    console.log(`${isKept ? 'kept  ' : 'BROKEN'} ${bound}: ${measured}, under ${limit}`)
  }
  for (const sentence of load.wrong.slice(0, 20)) {
    console.error(`WRONG ${sentence}`)
  }
  const { executions } = load
  const rate = Math.round(executions / (minutes() * 60))
  const wrong = load.wrong.length
  const run = {
    kind: 'soak',
    storage,
    minutes: minutes(),
    executions,
    rate,
    wrong,
    unjudged,
    verdicts,
    samples,
  }
  console.log(JSON.stringify(values['no-log'] ? { ...run, ...originOf() } : appendRun(run)))
  if (wrong > 0 || unjudged !== undefined || verdicts.some(({ isKept }) => !isKept)) {
    process.exitCode = 1
  }
}

/** What was measured is worth keeping, even of a run that did too little to be judged. */
function judged(samples: ReadonlyArray<Sample>): { verdicts: Array<Verdict>; unjudged?: string } {
  try {
    return { verdicts: verdictsOf(samples) }
  } catch (error) {
    console.error(error)
    return { verdicts: [], unjudged: String(error) }
  }
}

function print(sample: Sample, isFirst: boolean): void {
  if (values.json) {
    return
  }
  const columns: Record<string, string> = {}
  for (const [name, number] of Object.entries(sample)) {
    columns[name.replace('Bytes', 'MiB')] = name.endsWith('Bytes')
      ? (number / MIB).toFixed(2)
      : String(number)
  }
  const width = (name: string): number => Math.max(name.length, 9) + 2
  const line = (cells: Array<[string, string]>): string =>
    cells.map(([name, text]) => text.padStart(width(name))).join('')
  if (isFirst) {
    console.log(line(Object.keys(columns).map((name) => [name, name])))
  }
  console.log(line(Object.entries(columns)))
}

// After some collections V8 drops the code of functions that ran only in the beginning: 5 MB at once, beside which what
// leaks could not be seen.
const FLAGS = ['--expose-gc', '--no-flush-bytecode']

/** The same again in a process that may collect when it likes to. */
function runWithCollector(): void {
  const args = [...FLAGS, ...process.execArgv, ...process.argv.slice(1)]
  const child = spawn(process.execPath, args, { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => child.kill(signal))
  }
  child.once('exit', (code) => {
    process.exitCode = code ?? 1
    process.removeAllListeners('SIGINT').removeAllListeners('SIGTERM')
  })
}

if (values.help) {
  console.log(USAGE)
} else if (globalThis.gc === undefined) {
  runWithCollector()
} else {
  process.once('SIGINT', () => process.exit(130))
  process.once('SIGTERM', () => process.exit(143))
  try {
    await main()
  } catch (error) {
    console.error(error)
    process.exitCode = 1
  }
}
