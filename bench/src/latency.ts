/**
 * Idle latency: how long one task takes from `enqueueTask` to the awaited output, one after another,
 * in one process that does nothing else. Beside it, on SQLite and Postgres, the limit in the same minute: two
 * commits of one row in turn (the insert, and the outcome), with the same settings.
 *
 *     npm run bench:latency [-- memory sqlite postgres]
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { DurableExecutor } from 'durable-execution'
import { Client } from 'pg'

import { type Measured, openStorage, quantile, QUIET, STORAGES } from './storages.ts'

const RUNS = 500
const WARM_UP = 200
const BODY = 'x'.repeat(500)

const names = process.argv.slice(2).filter((name) => !name.startsWith('-'))
console.log('| storage | p50 ms | p95 ms | two commits in turn, p50 ms | ratio |')
console.log('|---|---|---|---|---|')
for (const name of names.length > 0 ? names : STORAGES) {
  const place = await openStorage(name)
  const { storage, cleanUp } = place
  const executor = new DurableExecutor(storage, { logger: QUIET })
  const noop = executor.task({ id: 'noop', timeoutMs: 10_000, run: (_ctx, input: number) => input })
  await executor.start()
  const floor = await openFloor(place)
  const times: Array<number> = []
  const floors: Array<number> = []
  for (let index = 0; index < RUNS + WARM_UP; index += 1) {
    const startedAt = performance.now()
    const handle = await executor.enqueueTask(noop, index)
    await handle.waitAndGetTaskFinishedExecution()
    const tookMs = performance.now() - startedAt
    const floorMs = (await floor?.twoCommits()) ?? Number.NaN
    if (index >= WARM_UP) {
      times.push(tookMs)
      floors.push(floorMs)
    }
  }
  await executor.shutdown()
  await floor?.cleanUp()
  await cleanUp()
  const p50 = quantile(times, 0.5)
  const floorP50 = quantile(floors, 0.5)
  const beside = floor === undefined ? '– | –' : `${floorP50.toFixed(2)} | ${(p50 / floorP50).toFixed(2)}`
  console.log(`| ${name} | ${p50.toFixed(2)} | ${quantile(times, 0.95).toFixed(2)} | ${beside} |`)
}

/** Commits two rows in turn on the same kind of database; tells how long that took. */
type Floor = { twoCommits: () => Promise<number>; cleanUp: () => Promise<void> }

async function openFloor({ name, connectionString }: Measured): Promise<Floor | undefined> {
  if (name === 'sqlite') {
    return sqliteFloor()
  }
  return connectionString === undefined ? undefined : await postgresFloor(connectionString)
}

function sqliteFloor(): Floor {
  const folder = mkdtempSync(join(process.env['BENCH_DIR'] ?? tmpdir(), 'durable-execution-floor-'))
  const database = new DatabaseSync(join(folder, 'floor.db'))
  database.exec('pragma journal_mode = wal; pragma synchronous = full')
  database.exec('create table t (id integer primary key, body text)')
  const insert = database.prepare('insert into t (body) values (?)')
  const update = database.prepare('update t set body = ? where id = ?')
  return {
    twoCommits: () => {
      const startedAt = performance.now()
      const { lastInsertRowid } = insert.run(BODY)
      update.run(BODY, lastInsertRowid)
      return Promise.resolve(performance.now() - startedAt)
    },
    cleanUp: () => {
      database.close()
      rmSync(folder, { recursive: true, force: true })
      return Promise.resolve()
    },
  }
}

async function postgresFloor(connectionString: string): Promise<Floor> {
  const client = new Client({ connectionString })
  await client.connect()
  await client.query('create table floor (id int primary key, body text)')
  let id = 0
  return {
    twoCommits: async () => {
      id += 1
      const startedAt = performance.now()
      await client.query('insert into floor values ($1, $2)', [id, BODY])
      await client.query('update floor set body = $2 where id = $1', [id, BODY])
      return performance.now() - startedAt
    },
    cleanUp: async () => await client.end(),
  }
}
