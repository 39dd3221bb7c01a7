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

const MINUTES = 10
const STEP_MS = 500

// The connection that listens is tried every 15 seconds, by the real clock.
const PINGS_A_MINUTE = 4

let connectionString: string

beforeAll(async () => {
  connectionString = await freshDatabase()
}, 60_000)

/** The statements of a minute, by what they do, of an executor that has nothing to do. */
async function idleMinute(options: { hints: boolean }): Promise<{ perMinute: number; texts: Array<string> }> {
  const pool = new Pool({ connectionString, options: POSTGRES_SESSION_OPTIONS })
  const { counted, texts, isAnswered } = countStatements(pool)
  const storage = createPostgresStorage({ pool: counted, schema: newSchema(), ...options })
  const clock = createTestClock()
  const executor = new DurableExecutor(
    storage,
    withDoors({ logger: { debug: () => {}, info: () => {}, error: () => {} } }, { clock }),
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
  await (await storage.onChange?.(() => {}))?.()
  await pass(60_000)
  texts.length = 0
  await pass(MINUTES * 60_000)
  const own = texts.filter((text) => !text.includes('pg_notify'))
  if (process.env.IDLE_SHOW) { const m = new Map<string, number>(); for (const t of own.map(firstWords)) m.set(t, (m.get(t) ?? 0) + 1); console.log(options, own.length / MINUTES, m) }
  return { perMinute: own.length / MINUTES, texts: own }
}

test('with hints an idle executor sends at most ten statements a minute', async () => {
  const { perMinute, texts } = await idleMinute({ hints: true })
  expect(perMinute, texts.map(firstWords).join('\n')).toBeGreaterThan(0)
  expect(perMinute + PINGS_A_MINUTE, texts.map(firstWords).join('\n')).toBeLessThanOrEqual(10)
})

test('without hints it looks twice a second', async () => {
  const { perMinute, texts } = await idleMinute({ hints: false })
  expect(perMinute, texts.slice(0, 50).map(firstWords).join('\n')).toBeGreaterThan(120)
  expect(perMinute).toBeLessThanOrEqual(400)
})

function firstWords(text: string): string {
  return text.replaceAll(/\s+/g, ' ').slice(0, 60)
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
