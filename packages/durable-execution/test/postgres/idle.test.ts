/** What an idle executor costs the server: statements a minute, counted on its connections. */

import { setImmediate as nextTurn } from 'node:timers/promises'

import { Pool } from 'pg'
import { beforeAll, expect, onTestFinished, test } from 'vitest'

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

let connectionString: string

beforeAll(async () => {
  connectionString = await freshDatabase()
}, 60_000)

/** The statements of a minute, by what they do, of an executor that has nothing to do. */
async function idleMinute({
  minutes,
  ...options
}: {
  minutes: number
  hints: boolean
  pollMs?: number
}): Promise<{ perMinute: number; kinds: string }> {
  const pool = new Pool({ connectionString, options: POSTGRES_SESSION_OPTIONS })
  const { counted, texts, isAnswered } = countStatements(pool)
  const storage = createPostgresStorage({ pool: counted, schema: newSchema(), hints: options.hints })
  const clock = createTestClock()
  // The server's clock is asked as ever, and does not move with the test's.
  const getCurrentTime = async (): Promise<Date> => {
    await storage.getCurrentTime()
    return new Date(clock.now())
  }
  const executor = new DurableExecutor(
    { ...storage, getCurrentTime },
    withDoors(
      {
        logger: { debug: () => {}, info: () => {}, error: () => {} },
        backgroundProcessIntraBatchSleepMs: options.pollMs,
      },
      { clock },
    ),
  )
  executor.task({ id: 'work', timeoutMs: 1_000, run: () => 1 })
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += STEP_MS) {
      await clock.advance(STEP_MS)
      while (!isAnswered()) {
        await nextTurn()
      }
    }
  }
  onTestFinished(async () => {
    const stopped = executor.shutdown()
    await pass(5_000)
    await stopped
    await storage.close()
    await pool.end()
  })
  await storage.migrate()
  await executor.start()
  // Once the storage listens with one, another one listens at once.
  await (
    await storage.onChange?.(() => {})
  )?.()
  await pass(60_000)
  texts.length = 0
  await pass(minutes * 60_000)
  // The connection that listens shows that it is alive every 15 seconds, by the real clock; that is not counted.
  const own = texts.filter((text) => !text.includes('pg_notify'))
  return { perMinute: own.length / minutes, kinds: kindsOf(own) }
}

test.each([true, false])(
  'an idle executor that polls sends at most eleven statements a second (hints: %s)',
  async (hints) => {
    const { perMinute, kinds } = await idleMinute({ hints, minutes: 1 })
    expect(perMinute, kinds).toBeGreaterThan(120)
    expect(perMinute, kinds).toBeLessThanOrEqual(660)
  },
)

test('one that relies on hints, and looks every 45 seconds, sends at most twenty a minute', async () => {
  const { perMinute, kinds } = await idleMinute({ hints: true, minutes: 10, pollMs: 45_000 })
  expect(perMinute, kinds).toBeGreaterThan(0)
  expect(perMinute, kinds).toBeLessThanOrEqual(20)
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
