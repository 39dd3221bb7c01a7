/** A write-ahead log that ends anywhere: what was committed before is there, each transaction whole or not at all. */

import assert from 'node:assert/strict'
import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { type DurableStorage } from '../../src/index.ts'
import { checkWorld } from '../../src/machine/invariants.ts'
import { createSqliteStorage } from '../../src/storage/sqlite/index.ts'
import { runInWorld } from '../../src/testing/conformance/engine/world.ts'
import { contentsOf, newFolder, openHandle, valueOf } from './files.ts'
import { finishAll } from './finishing.ts'
import { type Frame, framesOf } from './write-ahead-log.ts'
import { assertDone, defineWork, enqueue, type Order } from './work.ts'

const ORDERS: ReadonlyArray<Order> = Array.from({ length: 3 }, (_, mark) => ({
  task: mark % 2 === 0 ? 'tree' : 'plain',
  given: { mark, ballast: '', outputLength: 3_000 },
}))

// Where in a frame the log is cut: in its header, in its page, a byte before its end.
const CUTS_IN_FRAME = [1, 30, 2_000, 4_119]

/** What was in the tables once the log was so long. */
type Commit = { logBytes: number; contents: string }

test('whatever is cut off the log, the transactions before the cut are there, and nothing of the others', async () => {
  const { path, commits, frames } = await playDay()
  const cuts = cutsOf(frames)
  expect(frames.filter(({ isCommit }) => !isCommit).length).toBeGreaterThan(20)
  const folder = newFolder()
  let whole = 0
  for (const cut of cuts) {
    const copy = new DatabaseSync(cutCopy(path, join(folder, `cut${cut}.db`), cut))
    copy.exec('pragma synchronous = off')
    const expected = commits.findLast(({ logBytes }) => logBytes <= cut)
    expect(contentsOf(copy) === (expected?.contents ?? '[]'), `the contents after a cut at ${cut}`).toBe(true)
    expect(valueOf(copy, 'pragma integrity_check'), `cut at ${cut}`).toBe('ok')
    copy.close()
    whole += expected?.logBytes === cut ? 1 : 0
  }
  expect(whole).toBe(new Set(commits.map(({ logBytes }) => logBytes)).size)
})

test('from each transaction at which the log may end, another executor finishes all that is there', async () => {
  const { path, frames } = await playDay()
  const folder = newFolder()
  let left = 0
  for (const { endsAt: logBytes } of frames.filter(({ isCommit }) => isCommit)) {
    const copy = cutCopy(path, join(folder, `cut${logBytes}.db`), logBytes)
    const { before } = await finishAll(copy)
    assert.deepEqual(checkWorld(before), [], `cut at ${logBytes}`)
    left += before.some(({ status }) => status !== 'completed') ? 1 : 0
  }
  expect(left).toBeGreaterThan(10)
})

/** A day's work in a log that is never brought into the database; gives what was there after each transaction. */
async function playDay(): Promise<{ path: string; commits: Array<Commit>; frames: Array<Frame> }> {
  const path = join(newFolder(), 'tasks.db')
  const database = openHandle('node:sqlite', path)
  database.exec('pragma journal_mode = wal; pragma wal_autocheckpoint = 0')
  const reader = openHandle('node:sqlite', path)
  const storage = createSqliteStorage({ database })
  const commits: Array<Commit> = []
  const note = (): void => {
    commits.push({ logBytes: statSync(`${path}-wal`).size, contents: contentsOf(reader) })
  }
  await storage.migrate()
  note()
  const noted: DurableStorage = {
    withTransaction: async (fn, hint) => {
      const answer = await storage.withTransaction(fn, hint)
      // In the turn in which it was committed: the next one begins in a later turn.
      note()
      return answer
    },
  }
  await runInWorld(
    () => Promise.resolve(noted),
    async (world) => {
      const executor = world.newExecutor()
      const work = defineWork(executor)
      await world.until(executor.start())
      for (const order of ORDERS) {
        await assertDone(world, await enqueue(executor, work, order), order)
      }
    },
  )
  return { path, commits, frames: framesOf(`${path}-wal`) }
}

/** Each border between frames, and one place within each. */
function cutsOf(frames: ReadonlyArray<Frame>): Array<number> {
  const cuts = [0, 31, 32]
  let startsAt = 32
  for (const [index, { endsAt }] of frames.entries()) {
    cuts.push(startsAt + (CUTS_IN_FRAME[index % CUTS_IN_FRAME.length] ?? 0), endsAt)
    startsAt = endsAt
  }
  return cuts
}

function cutCopy(from: string, to: string, logBytes: number): string {
  copyFileSync(from, to)
  writeFileSync(`${to}-wal`, readFileSync(`${from}-wal`).subarray(0, logBytes))
  return to
}
