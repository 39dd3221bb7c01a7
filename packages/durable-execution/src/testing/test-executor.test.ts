/** A user's own test with an executor whose time it moves. */

import { readFile } from 'node:fs/promises'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, onTestFinished, test } from 'vitest'

import {
  createInMemoryStorage,
  DurableExecutionError,
  DurableExecutor,
  type DurableStorage,
} from '../index.ts'
import { createSqliteStorage } from '../storage/sqlite/index.ts'
import { createFaultyStorage, createTestExecutor, type TestExecutor, TestKitError } from './index.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

/** Says what was done, and how many hours after the beginning. */
function createDiary(test: TestExecutor): { note: (what: string) => void; lines: Array<string> } {
  const startedAt = test.clock.now()
  const lines: Array<string> = []
  return { note: (what) => lines.push(`${what} at ${(test.clock.now() - startedAt) / HOUR} h`), lines }
}

const nextTurn = async (): Promise<void> => {
  await new Promise<void>((resolve) => {
    setImmediate(resolve)
  })
}

test('retries with hours between them are made at their moments, without the hours', async () => {
  await using kit = createTestExecutor()
  const diary = createDiary(kit)
  const flaky = kit.executor.task({
    id: 'flaky',
    timeoutMs: 1_000,
    retryOptions: { maxAttempts: 3, baseDelayMs: 6 * HOUR, delayMultiplier: 2 },
    run: (ctx) => {
      diary.note(`attempt ${ctx.attempt}`)
      if (ctx.attempt < 3) {
        throw new Error(`No ${ctx.attempt}`)
      }
      return 'at last'
    },
  })
  const execution = await kit.run(flaky, undefined)
  expect(execution).toMatchObject({ status: 'completed', output: 'at last', retryAttempts: 3 })
  expect(diary.lines).toEqual([
    'attempt 0 at 0 h',
    'attempt 1 at 6 h',
    'attempt 2 at 18 h',
    'attempt 3 at 42 h',
  ])
})

test('advance does everything on the way in its order and at its moment', async () => {
  await using kit = createTestExecutor()
  const diary = createDiary(kit)
  const later = kit.executor.task({
    id: 'later',
    timeoutMs: 1_000,
    run: (_ctx, name: string) => diary.note(name),
  })
  await kit.executor.enqueueTask(later, 'third', { sleepMsBeforeRun: 300 * DAY })
  await kit.executor.enqueueTask(later, 'first', { sleepMsBeforeRun: 2 * HOUR })
  await kit.executor.enqueueTask(later, 'second', { sleepMsBeforeRun: 2 * HOUR + 1 })
  kit.clock.setTimer(5 * HOUR, () => diary.note("a timer of the test's"))
  await kit.advance('2h')
  expect(diary.lines).toEqual(['first at 2 h'])
  await kit.advance('299d')
  expect(diary.lines.slice(1)).toEqual([`second at ${2 + 1 / HOUR} h`, "a timer of the test's at 5 h"])
  await kit.advance('1d')
  expect(diary.lines.slice(3)).toEqual([`third at ${300 * 24} h`])
  expect(kit.clock.now() - Date.UTC(2030, 0, 1)).toBe(300 * DAY + 2 * HOUR)
})

test('a year costs what happens in it, not its length', async () => {
  const storage = createFaultyStorage(createInMemoryStorage())
  await using kit = createTestExecutor({ storage })
  const yearly = kit.executor.task({ id: 'yearly', timeoutMs: 1_000, run: () => 'done' })
  const handle = await kit.executor.enqueueTask(yearly, undefined, { sleepMsBeforeRun: 365 * DAY })
  await kit.advance('365d')
  expect((await handle.getTaskExecution()).status).toBe('completed')
  // Looking twice a second would be 63 million.
  expect(storage.transactions()).toBeLessThan(100)
})

test('a row that is due and that nobody takes costs few turns', async () => {
  const storage = createFaultyStorage(createInMemoryStorage())
  const other = new DurableExecutor(storage)
  const unknown = other.task({ id: 'unknown', timeoutMs: 1_000, run: () => 'done' })
  await using kit = createTestExecutor({ storage })
  const handle = await other.enqueueTask(unknown, undefined)
  await kit.advance('365d')
  expect((await handle.getTaskExecution()).status).toBe('ready')
  expect(storage.transactions()).toBeLessThan(1_000)
})

test('a function that never ends is timed out at its moment, and tried again', async () => {
  await using kit = createTestExecutor({ patienceMs: 1 })
  const diary = createDiary(kit)
  const hanging = kit.executor.task({
    id: 'hanging',
    timeoutMs: 7 * HOUR,
    retryOptions: { maxAttempts: 1, baseDelayMs: HOUR },
    run: async (ctx) => {
      diary.note(`attempt ${ctx.attempt}`)
      ctx.cancelSignal.onCancelled(() => diary.note('told to stop'))
      return await new Promise<never>(() => {})
    },
  })
  expect((await kit.run(hanging, undefined)).status).toBe('timed_out')
  expect(diary.lines).toEqual([
    'attempt 0 at 0 h',
    'told to stop at 7 h',
    'attempt 1 at 8 h',
    'told to stop at 15 h',
  ])
})

test('a function at work in real time is waited for: moved time does not time it out', async () => {
  await using kit = createTestExecutor({ patienceMs: 60_000 })
  const reading = kit.executor.task({
    id: 'reading',
    timeoutMs: 1,
    run: async () => {
      // Longer than anything that only takes its turn, and nothing of it is seen by the clock.
      for (let turn = 0; turn < 1_000; turn += 1) {
        await nextTurn()
      }
      return (await readFile(import.meta.filename, 'utf8')).length > 0
    },
  })
  expect(await kit.run(reading, undefined)).toMatchObject({ status: 'completed', output: true })
})

test('a run of an hour under a lease of thirty seconds keeps its lease', async () => {
  await using kit = createTestExecutor({ expireMs: 30_000, patienceMs: 1 })
  let starts = 0
  const long = kit.executor.task({
    id: 'long',
    timeoutMs: DAY,
    run: async () => {
      starts += 1
      return await new Promise<number>((resolve) => {
        kit.clock.setTimer(HOUR, () => resolve(starts))
      })
    },
  })
  expect(await kit.run(long, undefined)).toMatchObject({ status: 'completed', output: 1 })
})

test('a parent, its children and its finalize task are run to the end', async () => {
  await using kit = createTestExecutor()
  const double = kit.executor.task({
    id: 'double',
    timeoutMs: 1_000,
    sleepMsBeforeRun: 5 * DAY,
    run: (_ctx, n: number) => 2 * n,
  })
  const sum = kit.executor.parentTask({
    id: 'sum',
    timeoutMs: 1_000,
    runParent: (_ctx, numbers: Array<number>) => ({
      output: null,
      childrenTasks: numbers.map((input) => ({ task: double, input })),
    }),
    finalizeTask: {
      id: 'add_up',
      timeoutMs: 1_000,
      run: (_ctx, { childrenTasksOutputs }) =>
        childrenTasksOutputs.reduce((total, child) => total + Number(child.output), 0),
    },
  })
  expect(await kit.run(sum, [1, 2, 3])).toMatchObject({ status: 'completed', output: 12 })
})

test('two runs at once share the time', async () => {
  await using kit = createTestExecutor()
  const diary = createDiary(kit)
  const sleepy = kit.executor.task({
    id: 'sleepy',
    timeoutMs: 1_000,
    run: (_ctx, name: string) => diary.note(name),
  })
  await Promise.all([
    kit.run(sleepy, 'long', { sleepMsBeforeRun: 3 * HOUR }),
    kit.run(sleepy, 'short', { sleepMsBeforeRun: HOUR }),
  ])
  expect(diary.lines).toEqual(['short at 1 h', 'long at 3 h'])
})

test('two who move time at once do not move it twice as far', async () => {
  await using kit = createTestExecutor()
  const startedAt = kit.clock.now()
  await Promise.all([kit.advance('1h'), kit.advance('2h')])
  expect(kit.clock.now() - startedAt).toBe(2 * HOUR)
})

test('an execution that does not finish is an error after the limit, and says what it is', async () => {
  await using kit = createTestExecutor({ limit: '10d', patienceMs: 1 })
  const endless = kit.executor.task({
    id: 'endless',
    timeoutMs: 11 * DAY,
    run: async () => await new Promise<never>(() => {}),
  })
  const handle = await kit.executor.enqueueTask(endless, undefined)
  const id = handle.getTaskExecutionId()
  await expect(kit.finish(handle)).rejects.toThrow(
    new TestKitError(
      `Task endless (execution ${id}) is not finished after 10d of moved time: it is running, after 0 retries. ` +
        'Its function has not ended: let it end, or give the task a shorter `timeoutMs`.',
    ),
  )
  expect(await handle.cancel()).toBe(true)
  expect((await kit.finish(handle)).status).toBe('cancelled')
})

test('the log is kept, and written nowhere', async () => {
  await using kit = createTestExecutor()
  const broken = kit.executor.task({
    id: 'broken',
    timeoutMs: 1_000,
    run: () => {
      throw new DurableExecutionError('It broke', false)
    },
  })
  const { executionId, status } = await kit.run(broken, undefined)
  expect(status).toBe('failed')
  expect(kit.logs).toContainEqual({
    level: 'error',
    message: `Task broken (execution ${executionId}) failed`,
    meta: [expect.objectContaining({ message: 'It broke' })],
  })
})

test('after the shutdown no timer is left, whatever was under way', async () => {
  const kit = createTestExecutor({ patienceMs: 1 })
  const hanging = kit.executor.task({
    id: 'hanging',
    timeoutMs: HOUR,
    run: async () => await new Promise<never>(() => {}),
  })
  const handle = await kit.executor.enqueueTask(hanging, undefined)
  void handle.waitAndGetTaskFinishedExecution()
  await kit.advance('1m')
  expect(kit.clock.pendingTimers()).toBeGreaterThan(0)
  await kit.shutdown()
  await kit.shutdown()
  expect(kit.clock.pendingTimers()).toBe(0)
  // Given back, since the executor left: it is ready for another.
  expect((await handle.getTaskExecution()).status).toBe('ready')
})

test('a kit that is put away at once leaves nothing', async () => {
  const kit = createTestExecutor()
  await kit[Symbol.asyncDispose]()
  expect(kit.clock.pendingTimers()).toBe(0)
  expect(kit.logs).toEqual([])
})

test('another storage may be given; the time is still that of the test', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'test-executor-'))
  const sqlite = createSqliteStorage({ path: join(folder, 'state.db') })
  onTestFinished(async () => {
    await sqlite.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const storage = Object.assign(Object.create(sqlite) as typeof sqlite, { getCurrentTime: () => new Date(0) })
  const now = new Date('2031-06-01T00:00:00Z')
  await using kit = createTestExecutor({ storage, now })
  const quick = kit.executor.task({ id: 'quick', timeoutMs: 1_000, run: () => 'done' })
  const execution = await kit.run(quick, undefined, { sleepMsBeforeRun: 3 * DAY })
  expect(execution).toMatchObject({ status: 'completed', createdAt: now })
  expect(execution.finishedAt.getTime() - now.getTime()).toBe(3 * DAY)
})

/** The storage, each answer of which comes some turns of the event loop later, as over a network. */
function slowed(storage: DurableStorage): DurableStorage {
  const travel = async (): Promise<void> => {
    for (let turn = 0; turn < 30; turn += 1) {
      await nextTurn()
    }
  }
  return {
    withTransaction: async (fn, hint) => {
      await travel()
      const answer = await storage.withTransaction(fn, hint)
      await travel()
      return answer
    },
  }
}

test('a storage whose answers take real time is waited for', async () => {
  await using kit = createTestExecutor({ storage: slowed(createInMemoryStorage()), patienceMs: 60_000 })
  const diary = createDiary(kit)
  const task = kit.executor.task({ id: 'task', timeoutMs: 1, run: (_ctx, name: string) => diary.note(name) })
  await kit.executor.enqueueTask(task, 'second', { sleepMsBeforeRun: 2 * HOUR })
  await kit.executor.enqueueTask(task, 'first', { sleepMsBeforeRun: HOUR })
  await kit.advance('2h')
  expect(diary.lines).toEqual(['first at 1 h', 'second at 2 h'])
})

test('time does not move backward, nor by what is no length of time', async () => {
  await using kit = createTestExecutor()
  await expect(kit.advance(-1)).rejects.toThrow('Time only moves forward: give 0 ms or more, got -1')
  await expect(kit.advance('soon')).rejects.toThrow('"soon" is no length of time')
})
