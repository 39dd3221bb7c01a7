/** The files as a power cut leaves them, at any moment: between statements, and in the middle of a checkpoint. */

import assert from 'node:assert/strict'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'

import { describe, expect, test } from 'vitest'

import { checkWorld } from '../../src/machine/invariants.ts'
import { createSqliteStorage } from '../../src/storage/sqlite/index.ts'
import { withCallListener } from '../../src/testing/conformance/engine/lives.ts'
import { runInWorld } from '../../src/testing/conformance/engine/world.ts'
import { randomOf, wholeBetween } from './chance.ts'
import {
  contentsOf,
  copyDatabase,
  type Handle,
  integrityOf,
  LIBRARIES,
  newFolder,
  openHandle,
} from './files.ts'
import { finishAll } from './finishing.ts'
import { assertDone, defineWork, enqueue, type Order } from './work.ts'

const SEEDS = [1, 2]
const TORN = 20
const SECTOR_BYTES = 512

const ORDERS: ReadonlyArray<Order> = Array.from({ length: 4 }, (_, mark) => ({
  task: mark % 2 === 0 ? 'tree' : 'plain',
  given: { mark, ballast: 'i'.repeat(500), outputLength: 3_000 },
}))

/** The files as they were at one moment, and what was committed then. */
type Cut = { path: string; contents: string }

describe.each(LIBRARIES)('with %s', (library) => {
  test.each(SEEDS)(
    'what was committed before the power cut is there, and is finished (seed %i)',
    async (seed) => {
      const random = randomOf(seed)
      const folder = newFolder()
      const path = join(folder, 'tasks.db')
      const database = openHandle(library, path)
      // Brought into the database often, and written to the log before the commit: the moments that could go wrong.
      database.exec('pragma journal_mode = wal; pragma wal_autocheckpoint = 8; pragma cache_size = 4')
      const reader = openHandle(library, path)
      const cuts: Array<Cut> = []
      const mayCut = (): void => {
        if (random() < 0.3) {
          const cut = join(folder, `cut${cuts.length}.db`)
          copyDatabase(path, cut)
          cuts.push({ path: cut, contents: contentsOf(reader) })
        }
      }
      await workWhile(database, mayCut)
      expect(cuts.length).toBeGreaterThan(10)
      for (const cut of cuts) {
        await checkCut(cut)
      }
    },
  )
})

/** Works through the orders; calls `onMoment` before each call of an operation, in the middle of transactions too. */
async function workWhile(database: Handle, onMoment: () => void): Promise<void> {
  const storage = createSqliteStorage({ database })
  await storage.migrate()
  await runInWorld(
    () => Promise.resolve(storage),
    async (world) => {
      const executor = world.newExecutor({ storage: withCallListener(storage, onMoment) })
      const work = defineWork(executor)
      await world.until(executor.start())
      for (const order of ORDERS) {
        await assertDone(world, await enqueue(executor, work, order), order)
        onMoment()
      }
    },
  )
}

async function checkCut({ path, contents }: Cut): Promise<void> {
  const other = `${path}.again`
  copyDatabase(path, other)
  assert.equal(integrityOf(other), 'ok', path)
  const handle = new DatabaseSync(other)
  const found = contentsOf(handle)
  handle.close()
  assert.ok(found === contents, `${path} has what was committed, and nothing else`)
  const { before } = await finishAll(path)
  assert.deepEqual(checkWorld(before), [])
}

test('a checkpoint that is cut off in the middle, and has left torn pages, costs nothing', async () => {
  const folder = newFolder()
  const path = join(folder, 'tasks.db')
  const database = openHandle('node:sqlite', path)
  database.exec('pragma journal_mode = wal; pragma wal_autocheckpoint = 0')
  await workWhile(database, () => {})
  const expected = contentsOf(database)
  const before = join(folder, 'before.db')
  copyDatabase(path, before)
  database.exec('pragma wal_checkpoint(passive)')
  const old = readFileSync(before)
  const written = readFileSync(path)
  expect(written.length).toBeGreaterThan(old.length)

  for (let seed = 0; seed < TORN; seed += 1) {
    const torn = join(folder, `torn${seed}.db`)
    writeFileSync(torn, tornBetween(old, written, seed))
    copyFileSync(`${before}-wal`, `${torn}-wal`)
    const handle = new DatabaseSync(torn)
    expect(contentsOf(handle) === expected, `the contents of ${torn}`).toBe(true)
    handle.close()
    expect(integrityOf(torn)).toBe('ok')
  }
})

/** The file while it is written: some sectors are new already, some are old, and it may not have its length yet. */
function tornBetween(old: Buffer, written: Buffer, seed: number): Buffer {
  const random = randomOf(seed)
  const torn = Buffer.alloc(
    wholeBetween(random, old.length / SECTOR_BYTES, written.length / SECTOR_BYTES + 1) * SECTOR_BYTES,
  )
  old.copy(torn)
  for (let at = 0; at < torn.length; at += SECTOR_BYTES) {
    if (random() < 0.5) {
      written.copy(torn, at, at, at + SECTOR_BYTES)
    }
  }
  return torn
}
