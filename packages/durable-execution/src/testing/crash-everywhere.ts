/** Runs a task again and again, its process dying at another place each time, and compares what comes of it. */

import { inspect } from 'node:util'

import { type Millis } from '../base/clock.ts'
import { type DurableExecutorOptions } from '../executor/options.ts'
import { type DurableTaskEnqueueOptions } from '../task/options.ts'
import { toForwardMillis } from './clock.ts'
import { type CrashPoint, type PlacedPoint, pointsOf } from './crash/crash-point.ts'
import { type CrashJob, type CrashRun, runOnce, throwFirst } from './crash/crash-run.ts'
import { type CrashTaskDefinition } from './crash/crash-world.ts'
import { CrashDifferenceError } from './crash/difference-error.ts'
import { compareOutcomes, type CrashOutcome } from './crash/outcome.ts'
import { TestKitError } from './kit-error.ts'
import { LONGEST_WAIT, PATIENCE_MS } from './moved-time.ts'

/**
 * Options of {@link crashEverywhere}. What is `undefined` or `null` is not given.
 *
 * @category Testing
 */
export type CrashEverywhereOptions<TOutput = unknown> = {
  /** Only the crash point of this name, as an error names it. */
  only?: string | null | undefined
  /** At most so many crash points, spread evenly over those there are; default 1,000. */
  points?: number | null | undefined
  /**
   * What is compared of an outcome; default all of it. For a task that says what time it is, for instance, which a crash
   * may well change.
   */
  compare?: ((outcome: CrashOutcome<TOutput>) => unknown) | null | undefined
  /** Options of the executors; a log is written only if a `logger` is given. A lease is an hour unless `expireMs` is given. */
  executor?: DurableExecutorOptions | null | undefined
  /** Options of the enqueue. */
  enqueue?: DurableTaskEnqueueOptions | null | undefined
  /** How much moved time a run may take; default `366d`. */
  limit?: Millis | string | null | undefined
  /** How long a function may be at work in real time before the clock moves on without it, in milliseconds; default 250. */
  patienceMs?: number | null | undefined
}

/**
 * What {@link crashEverywhere} did.
 *
 * @category Testing
 */
export type CrashReport<TOutput = unknown> = {
  /** What came of the task, with and without crashes. */
  outcome: CrashOutcome<TOutput>
  /** The crash points that were tried, in order. */
  tried: ReadonlyArray<CrashPoint>
  /** Those that were left out, since `points` or `only` said so. */
  leftOut: ReadonlyArray<CrashPoint>
  /**
   * Those among the tried that the process did not come by: it did not do the same as before, since functions that run side
   * by side took different real time. What came of the task was the same all the same.
   */
  missed: ReadonlyArray<CrashPoint>
}

const MOST_POINTS = 1_000
const SILENT = { debug: () => {}, info: () => {}, error: () => {} }

/**
 * Runs a task once without a crash, and then once for every place at which its process could have died: around each
 * call of the storage, and before and after each effect on the outside that the task records. Each time everything is
 * new; the process dies there, time moves past its lease, and another process takes over and finishes. What comes of
 * the task must be the same every time: its status, output and error, the recorded effects, and how many executions
 * there are of each task.
 *
 * Storage, time, jitter and ids are the test's own, so the same task has the same crash points in the same order.
 *
 * @example
 * ```ts
 * import { crashEverywhere } from 'durable-execution/testing'
 *
 * const report = await crashEverywhere(
 *   (executor, outside) =>
 *     executor.task({
 *       id: 'pay',
 *       timeoutMs: 60_000,
 *       run: async (ctx, order: string) => {
 *         await outside.record('charged', { order }, { key: ctx.executionId })
 *         return `paid ${order}`
 *       },
 *     }),
 *   'A-1',
 * )
 * console.log(report.outcome.status, 'after', report.tried.length > 3 ? 'many crashes' : 'too few') // → completed after many crashes
 * ```
 *
 * @param define - Defines the task on an executor. It is called anew for every process: what it keeps in variables
 * is lost with the process, as it should be.
 * @param input - The input of the task.
 * @param options - See {@link CrashEverywhereOptions}.
 * @returns What was tried. Look at `tried` to see that it was not nothing.
 * @throws A {@link CrashDifferenceError} for the first crash point that makes a difference; a {@link TestKitError} if
 * the task does not finish, or is not the same even without a crash; what `enqueueTask` throws.
 *
 * @category Testing
 */
export async function crashEverywhere<TInput, TOutput>(
  define: CrashTaskDefinition<TInput, TOutput>,
  input: NoInfer<TInput>,
  options?: CrashEverywhereOptions<NoInfer<TOutput>> | null,
): Promise<CrashReport<TOutput>> {
  const job = createJob(define, input, options ?? {})
  try {
    const calm = await runWithoutCrash(job, options?.compare ?? undefined)
    const found = pointsOf(calm.passed)
    const tried = choosePoints(found, options ?? {})
    const missed: Array<CrashPoint> = []
    for (const point of tried) {
      const run = await runAt(job, point)
      if (run?.hasDied !== true) {
        missed.push(toPublic(point))
      }
      const difference =
        run === undefined
          ? undefined
          : compareOutcomes(calm.outcome, run.outcome, options?.compare ?? undefined)
      if (difference !== undefined) {
        throw new CrashDifferenceError(toPublic(point), difference)
      }
    }
    throwFirst(job.late)
    const leftOut = found.filter((point) => !tried.includes(point)).map(toPublic)
    return { outcome: calm.outcome, tried: tried.map(toPublic), leftOut, missed }
  } finally {
    job.isOver = true
  }
}

function createJob<TInput, TOutput>(
  define: CrashTaskDefinition<TInput, TOutput>,
  input: TInput,
  options: CrashEverywhereOptions<TOutput>,
): CrashJob<TInput, TOutput> {
  if (typeof define !== 'function') {
    throw new TestKitError(
      'crashEverywhere needs a function that defines the task, since each process that dies takes its own with it: ' +
        `crashEverywhere((executor, outside) => executor.task({ … }), input). It was given ${inspect(define, { depth: 0 })}`,
    )
  }
  const limit = options.limit ?? LONGEST_WAIT
  toForwardMillis(limit)
  return {
    define,
    input,
    enqueueOptions: options.enqueue ?? undefined,
    executor: { ...options.executor, logger: options.executor?.logger ?? SILENT },
    limit,
    patienceMs: options.patienceMs ?? PATIENCE_MS,
    late: [],
    isOver: false,
  }
}

/** Twice: what is not the same without a crash says nothing with one. */
async function runWithoutCrash<TInput, TOutput>(
  job: CrashJob<TInput, TOutput>,
  compare: ((outcome: CrashOutcome<TOutput>) => unknown) | undefined,
): Promise<CrashRun<TOutput>> {
  const [first, second] = [await runOnce(job), await runOnce(job)]
  if (first === undefined || second === undefined) {
    throw new TestKitError('The task was not enqueued')
  }
  const difference = compareOutcomes(first.outcome, second.outcome, compare)
  if (difference !== undefined) {
    const { what, expected, actual } = difference
    throw new TestKitError(
      `Two runs of this task differ without any crash, so crashes cannot be judged: the ${what} was\n${expected}\n` +
        `and then\n${actual}\nLet what varies come in by the input, or leave it out with the option \`compare\`.`,
    )
  }
  return first
}

/** An error of the run says where the process had died. */
async function runAt<TInput, TOutput>(
  job: CrashJob<TInput, TOutput>,
  { place, name, description }: PlacedPoint,
): Promise<CrashRun<TOutput> | undefined> {
  try {
    return await runOnce(job, place)
  } catch (error) {
    if (error instanceof TestKitError) {
      throw new TestKitError(`After the process died ${description} (only: '${name}'): ${error.message}`, {
        cause: error,
      })
    }
    throw error
  }
}

function choosePoints(
  found: ReadonlyArray<PlacedPoint>,
  { only, points }: Pick<CrashEverywhereOptions, 'only' | 'points'>,
): Array<PlacedPoint> {
  if (only !== undefined && only !== null) {
    const chosen = found.filter(({ name }) => name === only)
    if (chosen.length === 0) {
      const names = found.map(({ name }) => name).join(', ')
      throw new TestKitError(`There is no crash point ${inspect(only)}. There are: ${names}`)
    }
    return chosen
  }
  const most = points ?? MOST_POINTS
  if (!Number.isSafeInteger(most) || most < 1) {
    throw new TestKitError(`Invalid points: must be an integer, 1 or more, got ${inspect(points)}`)
  }
  // The first and the last are among them, and of those between every n-th.
  const chosen = new Set(
    Array.from({ length: Math.min(most, found.length) }, (_, index) =>
      Math.round((index * (found.length - 1)) / Math.max(Math.min(most, found.length) - 1, 1)),
    ),
  )
  return found.filter((_, index) => chosen.has(index))
}

function toPublic({ name, description }: PlacedPoint): CrashPoint {
  return { name, description }
}
