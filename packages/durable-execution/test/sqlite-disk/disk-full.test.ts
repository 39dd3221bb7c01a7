/** A disk that is full, whichever page was the last: nothing is lost, nothing is failed by it, and it goes on by itself. */

import assert from 'node:assert/strict'
import { join } from 'node:path'

import { describe, expect, test } from 'vitest'

import { type DurableTaskHandle } from '../../src/index.ts'
import { isFinishedStatus } from '../../src/machine/status.ts'
import { checkWorld } from '../../src/machine/invariants.ts'
import { createSqliteStorage } from '../../src/storage/sqlite/index.ts'
import { type EngineWorld, runInWorld } from '../../src/testing/conformance/engine/world.ts'
import { LIBRARIES, type Library, newFolder, openHandle, valueOf } from './files.ts'
import { assertDone, defineWork, enqueue, type Order } from './work.ts'

const FULL = 'The disk of the storage is full'

// Inputs and outputs take pages of their own, so that each kind of write is the one that finds no room.
const ORDERS: ReadonlyArray<Order> = Array.from({ length: 8 }, (_, mark) => ({
  task: mark % 4 === 3 ? 'tree' : 'plain',
  given: { mark, ballast: 'i'.repeat(5_000), outputLength: 12_000 },
}))

// From no page at all to more than all of it takes.
const ROOMS = Array.from({ length: 15 }, (_, index) => index * 12)

/** What found no room. */
type Blocked = 'enqueue' | 'claim' | 'outcome' | 'children' | 'nothing'

describe.each(LIBRARIES)('with %s', (library) => {
  test('whichever page finds no room, what was acknowledged is done when there is room again, and nothing is failed by it', async () => {
    const blocked = new Set<Blocked>()
    for (const room of ROOMS) {
      try {
        for (const one of await fillAt(library, room)) {
          blocked.add(one)
        }
      } catch (error) {
        throw new Error(`With room for ${room} pages: ${String(error)}`, { cause: error })
      }
    }
    expect([...blocked].toSorted()).toEqual(['children', 'claim', 'enqueue', 'nothing', 'outcome'])
  })
})

/** Plays a day on a disk that has room for so many pages more. */
async function fillAt(library: Library, room: number): Promise<Set<Blocked>> {
  const database = openHandle(library, join(newFolder(), 'tasks.db'))
  const storage = createSqliteStorage({ database })
  await storage.migrate()
  const pages = Number(valueOf(database, 'pragma page_count'))
  const blocked = new Set<Blocked>()
  await runInWorld(
    () => Promise.resolve(storage),
    async (world) => {
      const executor = world.newExecutor()
      const work = defineWork(executor)
      await world.until(executor.start())
      database.exec(`pragma max_page_count = ${pages + room}`)

      const answers = await world.until(
        Promise.allSettled(ORDERS.map((order) => enqueue(executor, work, order))),
      )
      const handles = acknowledgedOf(answers, blocked)
      if (handles.length < ORDERS.length) {
        assert.ok(executor.health().problems.includes(FULL))
      }
      for (let second = 3; second <= 15; second += 3) {
        await world.clock.advance('3s')
        if ((await world.rows()).some(({ status }) => status !== 'completed')) {
          assert.ok(executor.health().problems.includes(FULL), `health is green after ${second} seconds`)
        }
      }
      await checkFull(world, new Set(handles.map(({ handle }) => handle.getTaskExecutionId())), blocked)

      database.exec('pragma max_page_count = 1000000')
      for (const { handle, order } of handles) {
        await assertDone(world, handle, order)
      }
      await world.clock.advance('10s')
      assert.deepEqual(executor.health(), { ok: true, problems: [] })
      const repeated = [...work.starts].filter(([, starts]) => starts > 1)
      assert.deepEqual(repeated, [], 'an outcome that found no room is kept, and stored later')
    },
  )
  return blocked
}

type Acknowledged = { handle: DurableTaskHandle<string | number>; order: Order }

function acknowledgedOf(
  answers: ReadonlyArray<PromiseSettledResult<DurableTaskHandle<string | number>>>,
  blocked: Set<Blocked>,
): Array<Acknowledged> {
  return answers.flatMap((answer, index) => {
    const order = ORDERS[index]
    assert.ok(order)
    if (answer.status === 'fulfilled') {
      return [{ handle: answer.value, order }]
    }
    assert.match(String(answer.reason), /database or disk is full/)
    blocked.add('enqueue')
    return []
  })
}

/** What must hold while the disk is full. */
async function checkFull(
  world: EngineWorld,
  acknowledged: ReadonlySet<string>,
  blocked: Set<Blocked>,
): Promise<void> {
  const rows = await world.rows()
  assert.deepEqual(checkWorld(rows), [])
  const roots = rows.filter(({ parentTask }) => parentTask === undefined)
  assert.deepEqual(
    new Set(roots.map(({ executionId }) => executionId)),
    acknowledged,
    'what was acknowledged is there, and nothing of what was refused',
  )
  const failed = rows.filter(({ status }) => isFinishedStatus(status) && status !== 'completed')
  assert.deepEqual(failed, [], 'a full disk is no failure of a task')
  const running = rows.filter(({ status }) => status === 'running')
  for (const { taskId } of running) {
    blocked.add(taskId === 'tree' ? 'children' : 'outcome')
  }
  if (running.length === 0 && rows.some(({ status }) => status === 'ready')) {
    blocked.add('claim')
  }
  if (blocked.size === 0) {
    assert.ok(rows.every(({ status }) => status === 'completed'))
    blocked.add('nothing')
  }
}
