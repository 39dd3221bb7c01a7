/** What a wait asks for when it is told, when it may have been, and when nobody tells it anything. */

import { expect, test } from 'vitest'

import { createDefaultSerializer } from '../base/serializer.ts'
import { createDurableTaskExecutionStorageObject, type ExecutionRow } from '../machine/execution.ts'
import { createTestClock } from '../testing/clock.ts'
import { createHandle } from './handle.ts'
import { type RowReader } from './reader.ts'
import { Waiters } from './waiters.ts'

const ID = 'te_1'
const EVERY_MS = 1_000

const running = (): ExecutionRow => ({
  ...createDurableTaskExecutionStorageObject({
    now: new Date(0),
    taskId: 'task',
    executionId: ID,
    retryOptions: { maxAttempts: 0 },
    sleepMsBeforeRun: 0,
    timeoutMs: 1_000,
    runInput: '1',
  }),
  status: 'running',
  startedAt: new Date(0),
  expiresAt: new Date(60_000),
})

const completed = (): ExecutionRow => ({
  ...running(),
  status: 'completed',
  runOutput: '2',
  output: '2',
  finishedAt: new Date(1),
})

/** A wait for an execution whose row is what `world.row` says; it notes each look. */
function waitFor(): {
  world: { row: ExecutionRow | undefined; looks: Array<string> }
  waiters: Waiters
  clock: ReturnType<typeof createTestClock>
  waiting: Promise<unknown>
} {
  const clock = createTestClock()
  const waiters = new Waiters(clock, () => {})
  const world = { row: running() as ExecutionRow | undefined, looks: [] as Array<string> }
  const reader = {
    read: () => {
      world.looks.push('row')
      return Promise.resolve(world.row)
    },
    isActive: () => {
      world.looks.push('status')
      return Promise.resolve(world.row?.status === 'running')
    },
  } as unknown as RowReader
  const handle = createHandle('task', ID, {
    reader,
    waiters,
    isRunHere: () => false,
    serializer: createDefaultSerializer(),
    cancel: () => Promise.resolve(false),
  })
  const waiting = handle.waitAndGetTaskFinishedExecution()
  waiting.catch(() => {})
  return { world, waiters, clock, waiting }
}

test('nobody tells it anything: it looks at the status, and at the row when that says so', async () => {
  const { world, clock, waiting } = waitFor()
  await clock.advance(3 * EVERY_MS)
  expect(world.looks).toEqual(['row', 'status', 'status', 'status'])
  world.row = completed()
  await clock.advance(EVERY_MS)
  expect(world.looks.slice(4)).toEqual(['status', 'row'])
  await expect(waiting).resolves.toMatchObject({ status: 'completed', output: 2 })
})

test('told that it ended, it reads the row at once, and not at all where that is told too', async () => {
  const first = waitFor()
  await first.clock.settle()
  first.world.row = completed()
  first.waiters.told([ID])
  await expect(first.waiting).resolves.toMatchObject({ output: 2 })
  expect(first.world.looks).toEqual(['row', 'row'])

  const second = waitFor()
  await second.clock.settle()
  second.waiters.told([ID], new Map([[ID, completed()]]))
  await expect(second.waiting).resolves.toMatchObject({ output: 2 })
  expect(second.world.looks).toEqual(['row'])
})

test('told of a change that is no end, it goes on looking at the status alone', async () => {
  const { world, waiters, clock, waiting } = waitFor()
  await clock.settle()
  waiters.told([ID])
  await clock.settle()
  waiters.toldAll()
  await clock.settle()
  await clock.advance(2 * EVERY_MS)
  expect(world.looks).toEqual(['row', 'row', 'status', 'status', 'status'])
  world.row = completed()
  await clock.advance(EVERY_MS)
  await expect(waiting).resolves.toMatchObject({ output: 2 })
})

test('a row that is damaged or gone meanwhile ends the wait', async () => {
  for (const [row, message] of [
    [undefined, 'not found'],
    [{ ...running(), status: 'odd' as never }, 'odd'],
  ] as const) {
    const { world, clock, waiting } = waitFor()
    await clock.advance(EVERY_MS)
    world.row = row
    await clock.advance(EVERY_MS)
    await expect(waiting).rejects.toThrow(message)
    expect(world.looks).toEqual(['row', 'status', 'status', 'row'])
  }
})
