/** How few statements the work of an executor takes on Postgres. */

import { Pool } from 'pg'
import { beforeAll, expect, onTestFinished, test } from 'vitest'

import {
  createPostgresStorage,
  POSTGRES_SESSION_OPTIONS,
  type PostgresStorage,
} from '../../src/storage/postgres/index.ts'
import { countOf, type Sent, sentForFanOut, sentForPlainTasks } from '../storages/statement-counts.ts'
import { newSchema } from './places.ts'
import { freshDatabase } from './server.ts'
import { spiedOn } from './spied-pool.ts'

let connectionString: string

beforeAll(async () => {
  connectionString = await freshDatabase()
}, 60_000)

function openCounted(): { storage: PostgresStorage; sent: Sent } {
  const sent: Sent = []
  const pool = new Pool({ connectionString, options: POSTGRES_SESSION_OPTIONS })
  const counted = spiedOn(pool, ({ text }) => sent.push(text))
  const storage = createPostgresStorage({ pool: counted, schema: newSchema(), hints: false })
  onTestFinished(async () => {
    await storage.close()
    await pool.end()
  })
  return { storage, sent }
}

test('200 plain tasks are inserted by one statement, claimed by one and settled by two at most', async () => {
  const { storage, sent } = openCounted()
  const { enqueueing, running } = await sentForPlainTasks(storage, sent, 200)
  expect(countOf(enqueueing, 'insert')).toBe(1)
  // The first claim has them all; a later one looks for more, and finds none, whatever the priority.
  expect(countOf(running, 'with due')).toBeLessThanOrEqual(2)
  expect(countOf(running, 'with recursive')).toBeLessThanOrEqual(1)
  expect(countOf(running, 'update')).toBeLessThanOrEqual(2)
  expect(countOf([...enqueueing, ...running], 'begin')).toBe(0)
})

test('1,000 children are inserted by two statements at most, in the transaction that settles their parent', async () => {
  const { storage, sent } = openCounted()
  const all = await sentForFanOut(storage, sent, 1_000)
  expect(countOf(all, 'insert')).toBeLessThanOrEqual(2)
  const firstInsert = all.findIndex((text) => text.startsWith('insert'))
  expect(countOf(all.slice(0, firstInsert), 'begin')).toBe(1)
})
