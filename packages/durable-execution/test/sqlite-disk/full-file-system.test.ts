/** A file system that is really full, where this process may mount a small one: the log cannot grow, wherever that happens. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, onTestFinished, test } from 'vitest'

import { isFinishedStatus } from '../../src/machine/status.ts'
import { createSqliteStorage } from '../../src/storage/sqlite/index.ts'
import { runInWorld } from '../../src/testing/conformance/engine/world.ts'
import { newFolder } from './files.ts'
import { rowsOf } from './finishing.ts'
import { assertDone, defineWork, enqueue, type Order } from './work.ts'

// Programs of the system; where they are missing the test is left out, as where they are refused.
const MOUNT = 'mount'
const UNMOUNT = 'umount'

const FULL = 'The disk of the storage is full'
const PAGE_BYTES = 4_096
const SIZE = '12m'

const ORDERS: ReadonlyArray<Order> = Array.from({ length: 8 }, (_, mark) => ({
  task: mark % 4 === 3 ? 'tree' : 'plain',
  given: { mark, ballast: 'i'.repeat(5_000), outputLength: 12_000 },
}))

const ROOMS = [0, 1, 2, 3, 5, 8, 12, 16, 20, 24, 28, 32, 40, 50, 60, 80, 100, 150, 200, 300, 400, 600]

test('whichever page of the log finds no room, what was acknowledged is done when there is room again', async ({
  skip,
}) => {
  const mount = mountSmall()
  skip(mount.reason !== undefined, `This process may mount no file system of its own: ${mount.reason}`)
  const ends = new Set<string>()
  for (const room of ROOMS) {
    try {
      ends.add(await fillUp(join(mount.folder, `room${room}`), mount.folder, room))
    } catch (error) {
      throw new Error(`With room for ${room} pages: ${String(error)}`, { cause: error })
    }
  }
  expect(ends).toEqual(new Set(['refused', 'stuck', 'done']))
})

/** A small file system; or why there is none. */
function mountSmall(): { folder: string; reason: string | undefined } {
  const folder = newFolder()
  const { status, stderr, error } = spawnSync(MOUNT, ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'tmpfs', folder])
  if (status === 0) {
    onTestFinished(() => void spawnSync(UNMOUNT, ['-l', folder]))
    return { folder, reason: undefined }
  }
  return { folder, reason: error?.message ?? String(stderr).trim() }
}

/** Plays a day with so many pages free; gives what became of the work until there was room again. */
async function fillUp(name: string, folder: string, room: number): Promise<'refused' | 'stuck' | 'done'> {
  const path = `${name}.db`
  const filler = `${name}.filler`
  await using storage = createSqliteStorage({ path })
  await storage.migrate()
  let end: 'refused' | 'stuck' | 'done' = 'done'
  await runInWorld(
    () => Promise.resolve(storage),
    async (world) => {
      const executor = world.newExecutor()
      const work = defineWork(executor)
      await world.until(executor.start())
      const { bavail, bsize } = statfsSync(folder)
      writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - room * PAGE_BYTES)))
      const answers = await world.until(
        Promise.allSettled(ORDERS.map((order) => enqueue(executor, work, order))),
      )
      const refused = answers.flatMap((one) => (one.status === 'rejected' ? [String(one.reason)] : []))
      assert.ok(
        refused.every((reason) => reason.includes('database or disk is full')),
        refused.join(),
      )
      if (refused.length > 0) {
        assert.ok(executor.health().problems.includes(FULL))
      }
      await world.clock.advance('15s')
      const rows = await rowsOf(storage)
      assert.equal(
        rows.filter(({ parentTask }) => parentTask === undefined).length,
        ORDERS.length - refused.length,
      )
      assert.ok(!rows.some(({ status }) => isFinishedStatus(status) && status !== 'completed'))
      if (rows.some(({ status }) => status !== 'completed')) {
        end = 'stuck'
        assert.ok(executor.health().problems.includes(FULL))
      } else if (refused.length > 0) {
        end = 'refused'
      }

      rmSync(filler)
      for (const [index, answer] of answers.entries()) {
        const order = ORDERS[index]
        if (answer.status === 'fulfilled' && order !== undefined) {
          await assertDone(world, answer.value, order)
        }
      }
      await world.clock.advance('10s')
      assert.deepEqual(executor.health(), { ok: true, problems: [] })
      assert.deepEqual(
        [...work.starts].filter(([, starts]) => starts > 1),
        [],
      )
    },
  )
  await storage.close()
  rmSync(path)
  return end
}
