/** What an idle executor costs the server: statements a minute, counted on its connections. */

import { setImmediate as nextTurn } from 'node:timers/promises'

import { Client, Pool } from 'pg'
import { expect, test } from 'vitest'

import { DurableExecutor } from '../../src/index.ts'
import {
  createPostgresStorage,
  POSTGRES_SESSION_OPTIONS,
  type PostgresPool,
} from '../../src/storage/postgres/index.ts'
import { createTestClock, withDoors } from '../../src/testing/index.ts'
import { newSchema } from './places.ts'
import { freshDatabase } from './server.ts'

const STEP_MS = 500

type Idle = {
  /** Statements a minute, as the driver sent them. */
  perMinute: number
  /** Transactions a minute, as the server counted them, with those of the start and the end. */
  transactionsPerMinute: number
  kinds: string
}

/** What an executor sends that has nothing to do. */
async function idle({ hints, minutes }: { hints: boolean; minutes: number }): Promise<Idle> {
  const connectionString = await freshDatabase()
  const pool = new Pool({ connectionString, options: POSTGRES_SESSION_OPTIONS })
  const { counted, texts, isAnswered } = countStatements(pool)
  const storage = createPostgresStorage({ pool: counted, schema: newSchema(), hints })
  const clock = createTestClock()
  // The server's clock is asked as ever, and does not move with the test's.
  const getCurrentTime = async (): Promise<Date> => {
    await storage.getCurrentTime()
    return new Date(clock.now())
  }
  const logger = { debug: () => {}, info: () => {}, error: () => {} }
  const executor = new DurableExecutor({ ...storage, getCurrentTime }, withDoors({ logger }, { clock }))
  executor.task({ id: 'work', timeoutMs: 1_000, run: () => 1 })
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += STEP_MS) {
      await clock.advance(STEP_MS)
      while (!isAnswered()) {
        await nextTurn()
      }
    }
  }
  await storage.migrate()
  await executor.start()
  // Once the storage listens with one, another one listens at once.
  await (
    await storage.onChange?.(() => {})
  )?.()
  await pass(60_000)
  texts.length = 0
  await pass(minutes * 60_000)
  // The connection that listens shows that it is alive every 30 seconds, by the real clock; that is not counted.
  const own = texts.filter((text) => !text.includes('pg_notify'))
  const stopped = executor.shutdown()
  await pass(5_000)
  await stopped
  await storage.close()
  await pool.end()
  return {
    perMinute: own.length / minutes,
    transactionsPerMinute: (await transactionsIn(connectionString)) / minutes,
    kinds: kindsOf(own),
  }
}

/** The transactions of a database since it was made, once its connections have ended. */
async function transactionsIn(connectionString: string): Promise<number> {
  const { pathname } = new URL(connectionString)
  const elsewhere = new URL(connectionString)
  elsewhere.pathname = '/postgres'
  const client = new Client({ connectionString: elsewhere.href })
  await client.connect()
  try {
    const name = decodeURIComponent(pathname.slice(1))
    const { rows } = await client.query<{ commits: string }>(
      'select xact_commit + xact_rollback as commits from pg_stat_database where datname = $1',
      [name],
    )
    return Number(rows[0]?.commits)
  } finally {
    await client.end()
  }
}

test('with hints, an idle executor sends at most ten statements a minute', async () => {
  const { perMinute, transactionsPerMinute, kinds } = await idle({ hints: true, minutes: 60 })
  expect(perMinute, kinds).toBeGreaterThan(5)
  expect(perMinute, kinds).toBeLessThanOrEqual(10)
  expect(transactionsPerMinute, kinds).toBeGreaterThan(5)
  expect(transactionsPerMinute, kinds).toBeLessThanOrEqual(10)
})

test('without hints, it sends one statement each poll interval, and little more', async () => {
  const { perMinute, kinds } = await idle({ hints: false, minutes: 5 })
  expect(perMinute, kinds).toBeGreaterThan(119)
  expect(perMinute, kinds).toBeLessThanOrEqual(160)
})

/** How often there was a statement that begins like that. */
function kindsOf(texts: Array<string>): string {
  const byKind = Object.groupBy(texts, (text) => text.replaceAll(/\s+/g, ' ').slice(0, 60))
  return Object.entries(byKind)
    .map(([kind, all = []]) => `${all.length} ${kind}`)
    .join('\n')
}

function countStatements(pool: Pool): {
  counted: PostgresPool
  texts: Array<string>
  isAnswered: () => boolean
} {
  const texts: Array<string> = []
  let underWay = 0
  const counted: PostgresPool = {
    on: pool.on.bind(pool),
    off: pool.off.bind(pool),
    connect: async () => {
      underWay += 1
      const client = await pool.connect().finally(() => {
        underWay -= 1
      })
      return Object.assign(Object.create(client) as typeof client, {
        query: (query: { text: string }) => {
          texts.push(query.text)
          underWay += 1
          return (client.query(query as never) as unknown as Promise<unknown>).finally(() => {
            underWay -= 1
          })
        },
      })
    },
  }
  return { counted, texts, isAnswered: () => underWay === 0 }
}
