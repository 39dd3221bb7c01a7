/** What is left in the storage when a process dies at each moment of a call. */

import { expect, test } from 'vitest'

import { type ExecutionRow } from '../../machine/execution.ts'
import { type CrashPlace } from './crash-point.ts'
import { CrashWorld } from './crash-world.ts'

/** The rows that are left by a process that enqueued a task, and died there. */
async function rowsAfterDeathAt(find: (insert: number) => CrashPlace): Promise<Array<ExecutionRow>> {
  const world = createWorld()
  const calm = await enqueueIn(world)
  const insert = calm.passed.find(
    (one) => one.kind === 'storage' && one.operations.includes('insertTaskExecutions'),
  )
  const crashed = createWorld()
  const process = await enqueueIn(crashed, find(insert?.index ?? 0))
  expect(process.isDead()).toBe(true)
  await crashed.time.advance(10_000)
  expect(crashed.clock.pendingTimers(), 'a dead process has no timers').toBe(0)
  return await crashed.storage.withTransaction(
    async (tx) =>
      await tx.getTaskExecutions({ type: 'by_statuses', statuses: ['ready', 'running', 'completed'] }),
  )
}

function createWorld(): CrashWorld {
  return new CrashWorld({
    executor: { logger: { debug: () => {}, info: () => {}, error: () => {} } },
    patienceMs: 1,
    onLate: () => {},
  })
}

async function enqueueIn(
  world: CrashWorld,
  diesAt?: CrashPlace,
): Promise<Awaited<ReturnType<typeof world.startProcess>>> {
  const process = await world.startProcess(
    (executor) => executor.task({ id: 'work', timeoutMs: 1_000, run: () => 'done' }),
    diesAt,
  )
  await world.time.advance(0)
  void process.executor.enqueueTask(process.task, undefined)
  await world.time.advance(0)
  return process
}

test('a process that dies before a call, or before its commit, leaves nothing of it', async () => {
  expect(await rowsAfterDeathAt((index) => ({ kind: 'storage', index, moment: 'before' }))).toEqual([])
  expect(await rowsAfterDeathAt((index) => ({ kind: 'storage', index, moment: 'commit' }))).toEqual([])
})

test('a process that dies before the reply leaves what was committed, and does no more', async () => {
  const rows = await rowsAfterDeathAt((index) => ({ kind: 'storage', index, moment: 'reply' }))
  expect(rows.map(({ status }) => status)).toEqual(['running'])
})

test('the same process has the same ids and passes the same places', async () => {
  const [first, second] = [await enqueueIn(createWorld()), await enqueueIn(createWorld())]
  expect(first.passed.length).toBeGreaterThan(2)
  expect(first.passed).toEqual(second.passed)
})
