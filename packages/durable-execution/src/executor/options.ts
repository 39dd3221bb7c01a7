/** The options of an executor, checked and with their defaults. */

import { DOORS, type Doors, systemDoors } from '../base/doors.ts'
import { DurableExecutionError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { createConsoleLogger, guardLogger, type Logger } from '../base/logger.ts'
import { createDefaultSerializer, type Serializer, WrappedSerializer } from '../base/serializer.ts'
import { checkMaxLosses, refuseUnbuiltOptions } from '../task/options.ts'

/**
 * Options of a {@link DurableExecutor}. What is `undefined` or `null` is not given.
 *
 * @category Executor
 */
export type DurableExecutorOptions = {
  /** How inputs and outputs become text; default {@link createDefaultSerializer}. */
  serializer?: Serializer | null | undefined
  /** Where log lines go; default the console. */
  logger?: Logger | null | undefined
  /** Whether `debug` lines are written, whatever the logger; default false. */
  enableDebug?: boolean | null | undefined
  /**
   * The lease in milliseconds: how long a silent executor keeps its runs, and so what a crash costs.
   * All executors on one storage should have the same; default 30,000.
   */
  expireMs?: number | null | undefined
  /**
   * How long an idle executor waits between looks, in milliseconds; default 500, or 15,000 where executors tell
   * each other what they change (Postgres with hints), or 45,000 where the storage sees by itself what other
   * processes change (SQLite, memory).
   */
  backgroundProcessIntraBatchSleepMs?: number | null | undefined
  /** How many runs there may be at a time; default 100. */
  maxConcurrentTaskExecutions?: number | null | undefined
  /** After how many losses in a row an execution is given up; default 3. */
  maxLosses?: number | null | undefined
  /** The largest serialized input or output, in bytes; default 10 MiB. */
  maxPayloadBytes?: number | null | undefined
}

/** Options with their defaults filled in. */
export type ResolvedExecutorOptions = {
  serializer: Serializer
  logger: Logger
  expireMs: number
  pollMs: number
  /** Whether the user chose the interval. */
  isPollGiven: boolean
  maxConcurrentRuns: number
  maxLosses: number
  maxPayloadBytes: number
  doors: Doors
}

const KNOWN: Readonly<Record<keyof DurableExecutorOptions, true>> = {
  serializer: true,
  logger: true,
  enableDebug: true,
  expireMs: true,
  backgroundProcessIntraBatchSleepMs: true,
  maxConcurrentTaskExecutions: true,
  maxLosses: true,
  maxPayloadBytes: true,
}

/** Checks the options and fills in the defaults. */
export function resolveExecutorOptions(
  given: DurableExecutorOptions | null | undefined,
): ResolvedExecutorOptions {
  const options = given ?? {}
  if (typeof options !== 'object') {
    throw new DurableExecutionError(
      `Invalid options of DurableExecutor: they must be an object, got ${describe(options)}`,
      false,
    )
  }
  refuseUnbuiltOptions('executor', 'DurableExecutor', options)
  refuseUnknownOptions(options)
  checkMaxLosses(options.maxLosses, 'Invalid maxLosses')
  const serializer = withFunctions('serializer', options.serializer, ['serialize', 'deserialize'])
  const logger = withFunctions('logger', options.logger, ['debug', 'info', 'error'])
  return {
    serializer: new WrappedSerializer(serializer ?? createDefaultSerializer()),
    logger: guardLogger(
      logger ?? createConsoleLogger('DurableExecutor'),
      flag('enableDebug', options.enableDebug),
    ),
    expireMs: interval('expireMs', options.expireMs, LIMITS.expireMs),
    pollMs: interval(
      'backgroundProcessIntraBatchSleepMs',
      options.backgroundProcessIntraBatchSleepMs,
      LIMITS.pollMs,
    ),
    isPollGiven: (options.backgroundProcessIntraBatchSleepMs ?? 0) > 0,
    maxConcurrentRuns: count(
      'maxConcurrentTaskExecutions',
      options.maxConcurrentTaskExecutions,
      LIMITS.concurrentRuns,
    ),
    maxLosses: options.maxLosses ?? LIMITS.losses,
    maxPayloadBytes: count('maxPayloadBytes', options.maxPayloadBytes, LIMITS.payloadBytes),
    doors: (options as { [DOORS]?: Doors })[DOORS] ?? systemDoors,
  }
}

/** How long a shutdown waits; without limit when not given. */
export function checkGrace(graceMs: unknown): number {
  if (graceMs === undefined || graceMs === null) {
    return Infinity
  }
  if (typeof graceMs !== 'number' || !Number.isFinite(graceMs)) {
    throw new DurableExecutionError('Invalid graceMs: must be a finite number', false)
  }
  return Math.max(0, graceMs)
}

// A name that is spelled wrong would be a setting that has no effect. Doors come under a symbol, which is no name.
function refuseUnknownOptions(options: object): void {
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(KNOWN, name) && value !== undefined && value !== null) {
      throw new DurableExecutionError(
        `Unknown option ${name} of DurableExecutor. It has ${Object.keys(KNOWN).join(', ')}. Correct the name, or leave it out.`,
        false,
      )
    }
  }
}

/** What was given, if it has what is called of it. */
function withFunctions<T extends object>(
  name: string,
  given: T | null | undefined,
  functions: ReadonlyArray<keyof T & string>,
): T | undefined {
  if (given === undefined || given === null) {
    return undefined
  }
  const missing = functions.find((member) => typeof given[member] !== 'function')
  if (missing !== undefined) {
    throw new DurableExecutionError(
      `Invalid ${name}: must have the functions ${functions.join(', ')}; its ${missing} is ${describe(given[missing])}`,
      false,
    )
  }
  return given
}

function flag(name: string, given: unknown): boolean {
  if (given !== undefined && given !== null && typeof given !== 'boolean') {
    throw new DurableExecutionError(`Invalid ${name}: must be true or false, got ${describe(given)}`, false)
  }
  return given === true
}

/** A length of time, where 0 and less mean the default. */
function interval(name: string, given: unknown, standard: number): number {
  if (given === undefined || given === null) {
    return standard
  }
  if (typeof given !== 'number' || !Number.isFinite(given)) {
    throw new DurableExecutionError(`Invalid ${name}: must be a finite number, got ${describe(given)}`, false)
  }
  if (given > LIMITS.delayMs) {
    throw new DurableExecutionError(
      `Invalid ${name}: must be at most ${LIMITS.delayMs} (limit: delayMs), got ${given}`,
      false,
    )
  }
  return given > 0 ? given : standard
}

function count(name: string, given: unknown, standard: number): number {
  if (given === undefined || given === null) {
    return standard
  }
  if (typeof given !== 'number' || !Number.isSafeInteger(given) || given < 1) {
    throw new DurableExecutionError(
      `Invalid ${name}: must be an integer, 1 or more, got ${describe(given)}`,
      false,
    )
  }
  return given
}

function describe(given: unknown): string {
  return typeof given === 'number' ? String(given) : typeof given
}
