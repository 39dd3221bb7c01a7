/** The command: `node packages/durable-execution/test/processes/harness/main.ts --storage sqlite|postgres --seconds N`. */

import { parseArgs } from 'node:util'

import { type PostgresServer, startPostgres } from '../../../../../scripts/postgres/server.ts'
import { postgresPlace, sqlitePlace } from './places.ts'
import { playRounds, type RoundOptions } from './round.ts'

const USAGE = `Runs tasks in several processes that are killed, stopped and restarted, and checks what is left.

  --storage sqlite|postgres   default sqlite; Postgres is started, unless DATABASE_URL names one
  --seconds N                 rounds are played until so long has passed, at least one; default 60
  --workers N                 processes; default 4
  --plain N                   plain tasks in a round; default 10,000
  --trees N                   parents with ten children and a finalize task in a round; default 500
  --others N                  executions of each other kind in a round; default 30`

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      storage: { type: 'string', default: 'sqlite' },
      seconds: { type: 'string', default: '60' },
      workers: { type: 'string', default: '4' },
      plain: { type: 'string', default: '10000' },
      trees: { type: 'string', default: '500' },
      others: { type: 'string', default: '30' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(USAGE)
    return
  }
  if (values.storage !== 'sqlite' && values.storage !== 'postgres') {
    throw new Error(`--storage is sqlite or postgres, not ${values.storage}`)
  }
  const server = values.storage === 'postgres' ? await startPostgres() : undefined
  try {
    await play(toCount('seconds', values.seconds), {
      openPlace: await placesOf(server),
      workers: toCount('workers', values.workers),
      workload: {
        plain: toCount('plain', values.plain),
        trees: toCount('trees', values.trees),
        others: toCount('others', values.others),
      },
      onProgress: console.error,
    })
  } finally {
    await server?.stop()
  }
}

async function placesOf(server: PostgresServer | undefined): Promise<RoundOptions['openPlace']> {
  if (server === undefined) {
    return sqlitePlace
  }
  const database = await server.createDatabase()
  return () => postgresPlace(database)
}

async function play(seconds: number, options: RoundOptions): Promise<void> {
  for await (const { figures, findings, stories } of playRounds(seconds * 1_000, options)) {
    console.log(JSON.stringify(figures))
    for (const { promise, executionId, sentence } of findings) {
      console.log(`BROKEN ${promise}: ${executionId} ${sentence}`)
      process.exitCode = 1
    }
    for (const story of stories) {
      console.log(story)
    }
  }
}

function toCount(name: string, text: string): number {
  const number = Number(text)
  if (!Number.isInteger(number) || number < 0) {
    throw new Error(`--${name} is a whole number, not ${text}`)
  }
  return number
}

process.once('SIGINT', () => process.exit(130))
process.once('SIGTERM', () => process.exit(143))

try {
  await main()
} catch (error) {
  console.error(error)
  process.exitCode = 1
}
