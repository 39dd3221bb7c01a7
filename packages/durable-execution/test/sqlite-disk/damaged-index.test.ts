/** An index that does not fit its table, which SQLite believes: nothing is run twice, nobody goes round in circles, and who is stuck is named. */

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { type DurableStorage } from '../../src/index.ts'
import { createSqliteStorage } from '../../src/storage/sqlite/index.ts'
import { createFaultyStorage, type FaultyStorage } from '../../src/testing/faults.ts'
import { type EngineWorld, runInWorld } from '../../src/testing/conformance/engine/world.ts'
import { newFolder, valueOf } from './files.ts'
import { rowsOf } from './finishing.ts'
import { defineWork, enqueue, type Order } from './work.ts'

const ORDERS: ReadonlyArray<Order> = Array.from({ length: 4 }, (_, mark) => ({
  task: 'plain',
  given: { mark, ballast: '', outputLength: 10 },
}))

// A quiet minute takes 160.
const MOST_TRANSACTIONS = 500

test('a row that the index of what is ready holds twice is run once', async () => {
  const path = await makeTasks()
  patch(path, 'durable_execution_ready', (page, rows) => {
    // The place of the third row is taken by the second one.
    const [, second, third] = rows
    const at = page.indexOf(Buffer.concat([momentOf(third?.startAt), Buffer.of(third?.seq ?? 0)]))
    page.writeUInt8(second?.seq ?? 0, at + MOMENT_BYTES)
  })
  const { starts, storage, rows } = await playMinute(path)
  expect([...starts.values()]).toEqual([1, 1, 1])
  expect(rows.map(({ status }) => status).toSorted()).toEqual([
    'completed',
    'completed',
    'completed',
    'ready',
  ])
  expect(storage.transactions()).toBeLessThan(MOST_TRANSACTIONS)
})

test('a row whose status is damaged, and which the index holds as ready, is left alone', async () => {
  const path = await makeTasks()
  patch(path, 'durable_execution_executions', (page) => {
    page.write('reaby', page.indexOf('plainready') + 'plain'.length)
  })
  const { starts, storage, rows } = await playMinute(path)
  expect([...starts.values()]).toEqual([1, 1, 1])
  expect(rows.map(({ status }) => status)).toEqual(['completed', 'completed', 'completed'])
  expect(storage.transactions()).toBeLessThan(MOST_TRANSACTIONS)
})

test('lost executions that are not found by their ids are named, by health too', async () => {
  const path = await makeTasks(async (world) => {
    const executor = world.newExecutor({ expireMs: 2_000 })
    executor.task({ id: 'plain', timeoutMs: 60_000, run: () => new Promise<string>(() => {}) })
    await world.until(executor.start())
    await world.clock.advance('1s')
    world.kill(executor)
  })
  const lost = patch(path, 'durable_execution_by_id', (page, rows) => {
    const [first] = rows
    page.write('x', page.indexOf(first?.id ?? '') + 3)
  })
  const { storage, problems } = await playMinute(path)
  expect(problems).toMatch(
    /^The loop "recovery" has failed for \d+ ms: Executions whose leases have lapsed are not found/,
  )
  expect(problems).toContain(lost)
  expect(storage.transactions()).toBeLessThan(MOST_TRANSACTIONS)
})

async function makeTasks(then: (world: EngineWorld) => Promise<void> = async () => {}): Promise<string> {
  const path = join(newFolder(), 'tasks.db')
  const storage = createSqliteStorage({ path })
  await runInWorld(
    () => Promise.resolve(storage),
    async (world) => {
      const client = world.newExecutor()
      const work = defineWork(client)
      for (const order of ORDERS) {
        await enqueue(client, work, order)
      }
      await then(world)
    },
  )
  await storage.close()
  return path
}

type Row = { seq: number; id: string; startAt: number }

/** Changes the page of the table or index, which has one only; gives the id of the first row. */
function patch(path: string, name: string, change: (page: Buffer, rows: Array<Row>) => void): string {
  const handle = new DatabaseSync(path)
  const page = Number(valueOf(handle, `select rootpage from sqlite_master where name = '${name}'`))
  const size = Number(valueOf(handle, 'pragma page_size'))
  const rows = handle
    .prepare(
      'select seq, execution_id as id, start_at as startAt from durable_execution_executions order by seq',
    )
    .all() as Array<Row>
  handle.close()
  const bytes = readFileSync(path)
  const before = Buffer.from(bytes)
  change(bytes.subarray((page - 1) * size, page * size), rows)
  assert.notDeepEqual(bytes, before)
  writeFileSync(path, bytes)
  return rows[0]?.id ?? ''
}

// Moments of our days are kept in six bytes.
const MOMENT_BYTES = 6

function momentOf(ms: number = 0): Buffer {
  const bytes = Buffer.alloc(MOMENT_BYTES)
  bytes.writeUIntBE(ms, 0, MOMENT_BYTES)
  return bytes
}

/** Lets an executor work for a minute. */
async function playMinute(path: string): Promise<{
  starts: Map<string, number>
  storage: FaultyStorage
  rows: Awaited<ReturnType<typeof rowsOf>>
  problems: string
}> {
  await using file: DurableStorage & AsyncDisposable = createSqliteStorage({ path })
  const storage = createFaultyStorage(file)
  const starts = new Map<string, number>()
  let problems = ''
  await runInWorld(
    () => Promise.resolve(file),
    async (world) => {
      const executor = world.newExecutor({ storage, expireMs: 20_000 })
      defineWork(executor, starts)
      await world.until(executor.start())
      for (let second = 0; second < 60 && storage.transactions() < 2 * MOST_TRANSACTIONS; second += 1) {
        await world.clock.advance('1s')
      }
      problems = executor.health().problems.join('\n')
      world.kill(executor)
    },
    { isChecked: false },
  )
  return { starts, storage, rows: await rowsOf(file), problems }
}
