/** Plays rounds of tasks over processes that are killed, stopped and cut off, for as long as asked: `npm run chaos`. */

import { parseArgs } from 'node:util'

import { type Figures } from '../packages/durable-execution/test/processes/harness/figures.ts'
import { postgresPlace, sqlitePlace } from '../packages/durable-execution/test/processes/harness/places.ts'
import { playRounds, type RoundOptions } from '../packages/durable-execution/test/processes/harness/round.ts'
import { tellFindings } from '../packages/durable-execution/test/processes/harness/telling.ts'
import { type PostgresServer, startPostgres } from './postgres/server.ts'
import { toCount, toNumber } from './reliability/counts.ts'
import { appendRun, originOf } from './reliability/log.ts'

const USAGE = `Runs trees of tasks in several processes that are killed, stopped, restarted, cut off from their storage and
deployed anew, and checks what is left. Exit status 1 if a promise was broken.

  --storage sqlite|postgres   default sqlite; Postgres is started, unless DATABASE_URL names one
  --minutes N                 rounds are played until so long has passed, at least one; default 5
  --workers N                 processes; default 4
  --seed N                    what the first round is drawn from; default drawn by the clock
  --kills N                   a round goes on until there were so many; default 40
  --plain N                   plain tasks in a round; default 4,000
  --trees N                   parents with ten children and a finalize task in a round; default 150
  --others N                  executions of each other kind in a round; default 20
  --random N                  random trees of up to some hundred executions in a round; default 60
  --json                      prints JSON alone
  --no-log                    adds no line to reliability/log.jsonl`

const { values } = parseArgs({
  options: {
    storage: { type: 'string', default: 'sqlite' },
    minutes: { type: 'string', default: '5' },
    workers: { type: 'string', default: '4' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
    kills: { type: 'string', default: '40' },
    plain: { type: 'string', default: '4000' },
    trees: { type: 'string', default: '150' },
    others: { type: 'string', default: '20' },
    random: { type: 'string', default: '60' },
    json: { type: 'boolean', default: false },
    'no-log': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

/** What all rounds come to. */
type Total = Pick<Figures, (typeof ADDED)[number]> & { rounds: number; findings: number }

const ADDED = [
  'executions',
  'starts',
  'repeatedStarts',
  'cancelled',
  'refused',
  'kills',
  'stalls',
  'restarts',
  'deploys',
  'joins',
  'leaves',
  'disconnects',
  'locks',
  'outages',
  'looks',
] as const

async function main(): Promise<void> {
  const { storage } = values
  if (storage !== 'sqlite' && storage !== 'postgres') {
    throw new Error(`--storage is sqlite or postgres, not ${storage}`)
  }
  const [workers, seed] = [toCount('workers', values.workers, 2), toCount('seed', values.seed, 0)]
  const server = storage === 'postgres' ? await startPostgres() : undefined
  const beganAt = performance.now()
  try {
    const total = await play(toNumber('minutes', values.minutes, 0), {
      openPlace: await placesOf(server),
      workers,
      workload: {
        plain: toCount('plain', values.plain, 0),
        trees: toCount('trees', values.trees, 0),
        others: toCount('others', values.others, 0),
        random: toCount('random', values.random, 0),
      },
      kills: toCount('kills', values.kills, 1),
      seed,
      onProgress: console.error,
    })
    const minutes = Math.round((performance.now() - beganAt) / 6_000) / 10
    const run = { kind: 'chaos', storage, minutes, workers, seed, ...total }
    console.log(JSON.stringify(values['no-log'] ? { ...run, ...originOf() } : appendRun(run)))
  } finally {
    await server?.stop()
  }
}

async function placesOf(server: PostgresServer | undefined): Promise<RoundOptions['openPlace']> {
  if (server === undefined) {
    return sqlitePlace
  }
  const database = await server.createDatabase()
  // A server that somebody else started is not ours to crash.
  return () => postgresPlace(database, server.pid === undefined ? undefined : server)
}

async function play(minutes: number, options: RoundOptions): Promise<Total> {
  const total: Total = {
    rounds: 0,
    findings: 0,
    ...(Object.fromEntries(ADDED.map((name) => [name, 0])) as Record<(typeof ADDED)[number], number>),
  }
  for await (const outcome of playRounds(minutes * 60_000, options)) {
    const { figures, findings } = outcome
    total.rounds += 1
    total.findings += findings.length
    for (const name of ADDED) {
      total[name] += figures[name]
    }
    console.log(JSON.stringify(values.json ? { ...figures, findings } : figures))
    if (findings.length > 0) {
      process.exitCode = 1
      const say = values.json ? console.error : console.log
      say(tellFindings(outcome).join('\n'))
    }
  }
  return total
}

process.once('SIGINT', () => process.exit(130))
process.once('SIGTERM', () => process.exit(143))

if (values.help) {
  console.log(USAGE)
} else {
  try {
    await main()
  } catch (error) {
    console.error(error)
    process.exitCode = 1
  }
}
