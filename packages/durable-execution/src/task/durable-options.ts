/** What durable calls are given, checked. */

import { type Millis } from '../base/clock.ts'
import { DurableExecutionError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { type DurableTaskRetryOptions } from '../machine/execution.ts'
import { isGiven, resolveRetryOptions, shown } from './options.ts'
import { validatorOf } from './schema.ts'

export type ResolvedStepOptions = {
  retryOptions: DurableTaskRetryOptions
  timeoutMs: number | undefined
}

const NO_OPTIONS: ResolvedStepOptions = { retryOptions: { maxAttempts: 0 }, timeoutMs: undefined }

/** The options of a step, or of what is like one. */
export function resolveStepOptions(about: string, given: unknown): ResolvedStepOptions {
  if (!isGiven(given)) {
    return NO_OPTIONS
  }
  const options = checkObject(about, given)
  return {
    retryOptions: resolveRetryOptions(about, options['retryOptions']),
    timeoutMs: resolveMs(about, options['timeoutMs'], 1),
  }
}

/** The options of a wait for a signal. */
export function resolveWaitOptions(
  name: string,
  given: unknown,
): { timeoutMs: number | undefined; validate: ((payload: unknown) => Promise<unknown>) | undefined } {
  if (!isGiven(given)) {
    return { timeoutMs: undefined, validate: undefined }
  }
  const options = checkObject(`the wait for signal ${name}`, given)
  return {
    timeoutMs: resolveMs(`the wait for signal ${name}`, options['timeoutMs'], 0),
    validate: isGiven(options['schema']) ? validatorOf(options['schema'] as never) : undefined,
  }
}

/** When a sleep that begins now is over. */
export function resolveSleepUntil(name: string, given: unknown, now: Millis): Millis {
  if (given instanceof Date) {
    const until = given.getTime()
    if (until <= now + LIMITS.delayMs) {
      return until
    }
  } else if (typeof given === 'number' && given <= LIMITS.delayMs) {
    return now + Math.max(0, Math.ceil(given))
  }
  throw new DurableExecutionError(
    `Invalid time for sleep ${name}: must be a number of milliseconds or a Date, at most ${LIMITS.delayMs} ms from now (limit: delayMs), ` +
      `got ${given instanceof Date ? String(given) : shown(given)}`,
    false,
  )
}

function resolveMs(about: string, given: unknown, least: number): number | undefined {
  if (!isGiven(given)) {
    return undefined
  }
  if (typeof given === 'number' && Number.isSafeInteger(given) && given >= least && given <= LIMITS.delayMs) {
    return given
  }
  throw new DurableExecutionError(
    `Invalid timeoutMs for ${about}: must be an integer from ${least} to ${LIMITS.delayMs} (limit: delayMs), got ${shown(given)}`,
    false,
  )
}

function checkObject(about: string, given: unknown): Record<string, unknown> {
  if (typeof given !== 'object' || given === null) {
    throw new DurableExecutionError(`Invalid options for ${about}: they must be an object`, false)
  }
  return given as Record<string, unknown>
}
