/** An executor for tests: its time is moved, its log is kept, and it shuts down at the end of the test. */

import { type Millis } from '../base/clock.ts'
import { LIMITS } from '../base/limits.ts'
import { type DurableTaskHandle } from '../client/handle.ts'
import { type DurableTaskFinishedExecution } from '../client/view.ts'
import { type DurableExecutor } from '../executor/executor.ts'
import { type DurableExecutorOptions } from '../executor/options.ts'
import { type DurableStorage } from '../storage/contract.ts'
import { createInMemoryStorage } from '../storage/memory/in-memory-storage.ts'
import { type DurableTask } from '../task/define.ts'
import { type DurableTaskEnqueueOptions } from '../task/options.ts'
import { createTestClock, type TestClock, toForwardMillis } from './clock.ts'
import { createClockFace } from './clock-face.ts'
import { collectLogs, type TestLogLine } from './collected-logs.ts'
import { finishInTime } from './finish-in-time.ts'
import { LONGEST_WAIT, MovedTime, PATIENCE_MS } from './moved-time.ts'
import { createTimedExecutor, type TimedExecutor } from './timed-executor.ts'

/**
 * Options of a test executor: those of an executor, and a few of the test's own. Its log goes to `logs`, and
 * nowhere else unless a `logger` is given; its lease is a hundred years unless `expireMs` is given.
 *
 * @category Testing
 */
export type TestExecutorOptions = DurableExecutorOptions & {
  /** Where executions are kept; default memory. Its own clock is not used. It is not closed. */
  storage?: DurableStorage | null | undefined
  /** The time of day it starts at; default 2030-01-01. */
  now?: Date | null | undefined
  /** How much moved time `run` and `finish` wait for the end of an execution; default `366d`. */
  limit?: Millis | string | null | undefined
  /**
   * How long a function may be at work in real time, reading a file for instance, before the clock moves on
   * without it, in milliseconds; default 250. A function that waits for the clock, or for ever, costs a test so much.
   */
  patienceMs?: number | null | undefined
}

/**
 * An executor for a test; see {@link createTestExecutor}.
 *
 * @category Testing
 */
export type TestExecutor = {
  /** A started executor. Define the tasks on it. */
  executor: DurableExecutor
  /** Where it keeps its executions. */
  storage: DurableStorage
  /** Its clock. Timers that a test sets on it fire at their moment while `advance`, `run` and `finish` move time. */
  clock: TestClock
  /** Every line that the executor logged. */
  logs: ReadonlyArray<TestLogLine>
  /**
   * Moves time forward: everything that becomes due on the way is done at its moment and in its order, and the
   * time between is leapt over, so that a year takes no longer than what happens in it. Milliseconds, or a text
   * such as `90s`, `15m`, `2h`, `3d`.
   */
  advance: (by: Millis | string) => Promise<void>
  /**
   * Enqueues the task, and moves time until it is finished and no further. Resolves for every final status.
   *
   * @throws A `TestKitError` if it is not finished within the `limit`; what `enqueueTask` throws.
   */
  run: <TInput, TOutput>(
    task: DurableTask<TInput, TOutput>,
    input: TInput,
    options?: DurableTaskEnqueueOptions | null,
  ) => Promise<DurableTaskFinishedExecution<TOutput>>
  /** Moves time until an execution that was enqueued before is finished; the rest is as for `run`. */
  finish: <TOutput>(handle: DurableTaskHandle<TOutput>) => Promise<DurableTaskFinishedExecution<TOutput>>
  /** Shuts the executor down, moving time as far as that needs, and takes its timers away. Repeating it is fine. */
  shutdown: () => Promise<void>
  /** The same as `shutdown`: write `await using test = createTestExecutor()`. */
  [Symbol.asyncDispose]: () => Promise<void>
}

// Leases are for executors that may die, and this one does not.
const EXPIRE_MS = LIMITS.delayMs
const SHUTDOWN_STEP_MS = 50
const LONGEST_SHUTDOWN_MS = 60_000

/**
 * Creates a started executor on memory storage whose time the test moves: a retry in three days, a deadline in a year
 * and a function that never ends are tested in milliseconds.
 *
 * @example
 * ```ts
 * import { createTestExecutor } from 'durable-execution/testing'
 *
 * await using test = createTestExecutor()
 * const flaky = test.executor.task({
 *   id: 'flaky',
 *   timeoutMs: 60_000,
 *   retryOptions: { maxAttempts: 3, baseDelayMs: 6 * 3_600_000 },
 *   run: (ctx) => {
 *     if (ctx.attempt < 3) {
 *       throw new Error('Not yet')
 *     }
 *     return 'at last'
 *   },
 * })
 *
 * const startedAt = test.clock.now()
 * const execution = await test.run(flaky, undefined)
 * console.log(execution.status, (test.clock.now() - startedAt) / 3_600_000, 'hours') // → completed 18 hours
 * ```
 *
 * @category Testing
 */
export function createTestExecutor(options?: TestExecutorOptions | null): TestExecutor {
  const { storage: given, now, limit, patienceMs, logger, ...own } = options ?? {}
  const storage = given ?? createInMemoryStorage()
  const ticking = createTestClock(now === undefined || now === null ? {} : { now })
  const logs: Array<TestLogLine> = []
  const timed = createTimedExecutor(
    storage,
    ticking,
    { ...own, logger: collectLogs(logs, logger) },
    EXPIRE_MS,
  )
  const { executor } = timed
  const testTimers = createClockFace(ticking)
  const time = new MovedTime({
    clock: ticking,
    storage,
    timers: testTimers,
    patienceMs: patienceMs ?? PATIENCE_MS,
  })
  time.add(timed.process)
  // Begun at once, so that a test need not; it fails only if the test is over before it began.
  const started = executor.start().catch(() => {})
  const finish: TestExecutor['finish'] = async (handle) => {
    await started
    return await finishInTime(handle, time, limit ?? LONGEST_WAIT)
  }
  const shutdown = async (): Promise<void> => {
    await started
    await shutDown(timed, ticking, time)
  }
  return {
    executor,
    storage,
    clock: { ...ticking, setTimer: testTimers.setTimer },
    logs,
    advance: async (by) => {
      await started
      await time.advance(toForwardMillis(by))
    },
    run: async (task, input, enqueueOptions) => {
      await started
      return await finish(await executor.enqueueTask(task, input, enqueueOptions))
    },
    finish,
    shutdown,
    [Symbol.asyncDispose]: shutdown,
  }
}

async function shutDown(timed: TimedExecutor, clock: TestClock, time: MovedTime): Promise<void> {
  // What is at work in real time may end first. What never comes to rest does when the executor takes no more.
  await time.advance(0).catch(() => {})
  let isDown = false
  const down = timed.executor.shutdown({ graceMs: 0 }).finally(() => {
    isDown = true
  })
  down.catch(() => {})
  const endsAt = clock.monotonicNow() + LONGEST_SHUTDOWN_MS
  // Not to the moments of rows that are left: the executor takes no more of them.
  for (await time.advance(0); !isDown && clock.monotonicNow() < endsAt; await time.advance(0)) {
    await clock.advance(SHUTDOWN_STEP_MS)
  }
  await down
  timed.endTimers()
}
