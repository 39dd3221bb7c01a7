/** How long, how often and when a task runs: the options a user gives, checked. */

import { DurableExecutionError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { type DurableTaskRetryOptions } from '../machine/execution.ts'

/**
 * What tasks of every kind take.
 *
 * @category Task
 */
export type DurableTaskCommonOptions = {
  /** Names the task: 1 to 255 letters, digits and underscores, unique in an executor. */
  id: string
  /** When and how often a failed attempt is retried; default: never. */
  retryOptions?: DurableTaskRetryOptions | null | undefined
  /** The pause between enqueueing and the first attempt, in milliseconds; default 0. */
  sleepMsBeforeRun?: number | null | undefined
  /**
   * How long each attempt may take, in milliseconds: an integer, 1 or more. Waiting for a slot, for a retry or for
   * children does not count.
   */
  timeoutMs: number
  /** After how many losses in a row an execution is given up; default: the executor's `maxLosses`. */
  maxLosses?: number | null | undefined
}

/**
 * What may be said of one execution when it is enqueued; what is not given is taken from its task.
 *
 * @category Task
 */
export type DurableTaskEnqueueOptions = {
  /** When and how often a failed attempt is retried. Given, it replaces the task's own as a whole. */
  retryOptions?: DurableTaskRetryOptions | null | undefined
  /** The pause between now and the first attempt, in milliseconds. Retries do not sleep again. */
  sleepMsBeforeRun?: number | null | undefined
  /** How long each attempt may take, in milliseconds: an integer, 1 or more. */
  timeoutMs?: number | null | undefined
  /**
   * There is one execution of the task for each key: enqueued again under the same key, with the same input, it is that
   * one, active or finished, as long as it is not deleted. Another input is refused. 1 to 255 characters; not for children.
   */
  idempotencyKey?: string | null | undefined
  /**
   * Not before this moment does it begin; at once, if the moment has passed. Instead of `sleepMsBeforeRun`, and at
   * most a hundred years from now.
   */
  startAt?: Date | null | undefined
  /**
   * How long it may take in all, in milliseconds from the enqueue on: its waiting, all its attempts, the pauses between
   * them, and all below it. More than 0, at most a hundred years. When the time is over it ends as `timed_out`.
   */
  deadlineMs?: number | null | undefined
  /**
   * Names and texts to find it by: at most 20. A name has 1 to 255 letters, digits and characters of `_ . : / -`,
   * a text at most 255 characters. Children do not inherit them.
   */
  tags?: Readonly<Record<string, string>> | null | undefined
  /**
   * Of the executions that are due, those with a higher priority are taken first: an integer from -1,000,000 to
   * 1,000,000; default 0, and for children and finalize tasks that of their parent.
   */
  priority?: number | null | undefined
  /**
   * A transaction of your own on the storage's database: the execution exists exactly if you commit it.
   * What to give is said by the storage: a database handle for SQLite, a client for Postgres. Not for
   * children, which appear with their parent's outcome.
   */
  transaction?: object | null | undefined
}

/** Options with their defaults filled in. */
export type ResolvedOptions = {
  retryOptions: DurableTaskRetryOptions
  sleepMsBeforeRun: number
  timeoutMs: number
  /** Absent where none was given. */
  priority?: number
}

// Options that are planned and not built. Taking them in silence would promise what does not happen.
const NOT_BUILT = {
  task: ['deadlineMs', 'limitKey', 'priority', 'queue', 'tags'],
  enqueue: ['debounceKey', 'debounceMs', 'limitKey', 'maxDebounceMs', 'queue'],
  executor: ['retention'],
} as const

/** Refuses, by name, options that this version does not have yet. */
export function refuseUnbuiltOptions(kind: keyof typeof NOT_BUILT, about: string, options: object): void {
  for (const name of NOT_BUILT[kind]) {
    const value: unknown = Reflect.get(options, name)
    if (value !== undefined && value !== null) {
      throw new DurableExecutionError(
        `Option ${name} of ${about} is not supported by this version of durable-execution. Leave it out.`,
        false,
      )
    }
  }
}

/** Checks a task's options and fills in the defaults. */
export function resolveTaskOptions(options: DurableTaskCommonOptions): ResolvedOptions {
  const about = `task ${options.id}`
  refuseUnbuiltOptions('task', about, options)
  checkMaxLosses(options.maxLosses, `Invalid max losses for ${about}`)
  return {
    retryOptions: resolveRetryOptions(about, options.retryOptions),
    sleepMsBeforeRun: resolveSleepMs(options.id, options.sleepMsBeforeRun),
    timeoutMs: resolveTimeoutMs(options.id, options.timeoutMs),
  }
}

/** Checks what was said at an enqueue; the rest is the task's own. */
export function resolveEnqueueOptions(
  taskId: string,
  own: ResolvedOptions,
  given: DurableTaskEnqueueOptions | null | undefined,
): ResolvedOptions {
  if (given === undefined || given === null) {
    return own
  }
  if (typeof given !== 'object') {
    throw new DurableExecutionError(`Invalid options for task ${taskId}: they must be an object`, false)
  }
  refuseUnbuiltOptions('enqueue', `an execution of task ${taskId}`, given)
  if (isGiven(given.transaction) && typeof given.transaction !== 'object') {
    throw new DurableExecutionError(
      `Invalid transaction for task ${taskId}: it must be a database handle or client, got ${typeof given.transaction}`,
      false,
    )
  }
  return {
    retryOptions: isGiven(given.retryOptions)
      ? resolveRetryOptions(`task ${taskId}`, given.retryOptions)
      : own.retryOptions,
    sleepMsBeforeRun: isGiven(given.sleepMsBeforeRun)
      ? resolveSleepMs(taskId, given.sleepMsBeforeRun)
      : own.sleepMsBeforeRun,
    timeoutMs: isGiven(given.timeoutMs) ? resolveTimeoutMs(taskId, given.timeoutMs) : own.timeoutMs,
    ...(isGiven(given.priority) ? { priority: resolvePriority(taskId, given.priority) } : {}),
  }
}

/** Checks a `maxLosses`: an integer, 1 or more. */
export function checkMaxLosses(value: unknown, what: string): void {
  if (isGiven(value) && !(isInteger(value) && value >= 1)) {
    throw new DurableExecutionError(`${what}: must be an integer, 1 or more, got ${shown(value)}`, false)
  }
}

/** Checks how often something is retried. */
export function resolveRetryOptions(about: string, given: unknown): DurableTaskRetryOptions {
  const refuse = (reason: string): never => {
    throw new DurableExecutionError(`Invalid retry options for ${about}: ${reason}`, false)
  }
  if (!isGiven(given)) {
    return { maxAttempts: 0 }
  }
  if (typeof given !== 'object') {
    return refuse('they must be an object')
  }
  const { maxAttempts, baseDelayMs, delayMultiplier, maxDelayMs } = given as {
    [K in keyof DurableTaskRetryOptions]: unknown
  }
  const retry: DurableTaskRetryOptions = { maxAttempts: 0 }
  if (isInteger(maxAttempts) && maxAttempts >= 0) {
    retry.maxAttempts = maxAttempts
  } else {
    refuse(`maxAttempts must be an integer, 0 or more, got ${shown(maxAttempts)}`)
  }
  for (const [name, value] of Object.entries({ baseDelayMs, maxDelayMs })) {
    if (isInteger(value) && value >= 0) {
      retry[name as 'baseDelayMs' | 'maxDelayMs'] = value
    } else if (isGiven(value)) {
      refuse(`${name} must be an integer, 0 or more, got ${shown(value)}`)
    }
  }
  if (typeof delayMultiplier === 'number' && Number.isFinite(delayMultiplier) && delayMultiplier >= 0.1) {
    retry.delayMultiplier = delayMultiplier
  } else if (isGiven(delayMultiplier)) {
    refuse(`delayMultiplier must be 0.1 or more, got ${shown(delayMultiplier)}`)
  }
  return retry
}

function resolveTimeoutMs(taskId: string, given: unknown): number {
  if (isInteger(given) && given >= 1) {
    return given
  }
  throw new DurableExecutionError(
    `Invalid timeout value for task ${taskId}: timeoutMs must be an integer, 1 or more, got ${shown(given)}`,
    false,
  )
}

function resolveSleepMs(taskId: string, given: unknown): number {
  if (!isGiven(given)) {
    return 0
  }
  if (isInteger(given) && given <= LIMITS.delayMs) {
    return Math.max(0, given)
  }
  throw new DurableExecutionError(
    `Invalid sleep ms before run for task ${taskId}: sleepMsBeforeRun must be an integer, ` +
      `at most ${LIMITS.delayMs} (limit: delayMs), got ${shown(given)}`,
    false,
  )
}

function resolvePriority(taskId: string, given: unknown): number {
  if (isInteger(given) && Math.abs(given) <= LIMITS.priority) {
    // Adding 0 makes -0 plain.
    return given + 0
  }
  throw new DurableExecutionError(
    `Invalid priority for task ${taskId}: must be an integer from -${LIMITS.priority} to ${LIMITS.priority} ` +
      `(limit: priority), got ${shown(given)}`,
    false,
  )
}

/** A value as messages show it: an object, which may hold secrets or refuse to be text, only by its kind. Never throws. */
export function shown(value: unknown): string {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
    ? typeof value
    : String(value)
}

/** Whether an option is given: `undefined` and `null` both mean that it is not. */
export function isGiven<T>(value: T | null | undefined): value is T {
  return value !== undefined && value !== null
}

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value)
}
