/** Which values the documentation allows for each option; all others must be refused by name. */

import { systemClock } from '../../src/base/clock.ts'
import { LIMITS } from '../../src/base/limits.ts'
import { isCount, isNothing } from './values.ts'

/** Whether a value is allowed. */
export type Rule = (value: unknown) => boolean

const orNothing =
  (rule: Rule): Rule =>
  (value) =>
    isNothing(value) || rule(value)

const hasFunctions =
  (...names: Array<string>): Rule =>
  (value) =>
    names.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')

const interval: Rule = (value) =>
  typeof value === 'number' && Number.isFinite(value) && value <= LIMITS.delayMs

const positive: Rule = (value) => isCount(value, 1)

// Planned, and refused by name until they are there.
const notBuilt: Rule = isNothing

export const EXECUTOR_RULES: Readonly<Record<string, Rule>> = {
  serializer: orNothing(hasFunctions('serialize', 'deserialize')),
  logger: orNothing(hasFunctions('debug', 'info', 'error')),
  enableDebug: orNothing((value) => typeof value === 'boolean'),
  expireMs: orNothing(interval),
  backgroundProcessIntraBatchSleepMs: orNothing(interval),
  maxConcurrentTaskExecutions: orNothing(positive),
  maxLosses: orNothing(positive),
  maxPayloadBytes: orNothing(positive),
  retention: notBuilt,
  // Nobody knows these, so they must say nothing.
  maxConcurrent: isNothing,
  toString: isNothing,
  __proto__: isNothing,
}

const retryOptions: Rule = (value) => {
  if (typeof value !== 'object' || value === null) {
    return false
  }
  const { maxAttempts, baseDelayMs, maxDelayMs, delayMultiplier } = value as Record<string, unknown>
  const isDelay = orNothing((delay) => isCount(delay, 0))
  const isMultiplier = orNothing(
    (factor) => typeof factor === 'number' && Number.isFinite(factor) && factor >= 0.1,
  )
  return (
    isCount(maxAttempts, 0) && isDelay(baseDelayMs) && isDelay(maxDelayMs) && isMultiplier(delayMultiplier)
  )
}

const sleepMs: Rule = (value) => Number.isSafeInteger(value) && (value as number) <= LIMITS.delayMs

const RUN_RULES = {
  retryOptions: orNothing(retryOptions),
  sleepMsBeforeRun: orNothing(sleepMs),
}

export const TASK_RULES: Readonly<Record<string, Rule>> = {
  ...RUN_RULES,
  id: (value) => typeof value === 'string' && /^\w{1,255}$/.test(value),
  timeoutMs: positive,
  maxLosses: orNothing(positive),
  run: (value) => typeof value === 'function',
  priority: notBuilt,
  queue: notBuilt,
  tags: notBuilt,
}

const deadlineMs: Rule = (value) => interval(value) && (value as number) > 0

const startAt: Rule = (value) =>
  value instanceof Date && value.getTime() <= systemClock.now() + LIMITS.delayMs - 60_000

const tags: Rule = (value) => {
  const isObject = Object.prototype.toString.call(value) === '[object Object]'
  const entries = isObject ? Object.entries(value as object) : []
  const isTag = ([name, text]: [string, unknown]): boolean =>
    /^[\w.:/-]{1,255}$/.test(name) &&
    name !== '__proto__' &&
    typeof text === 'string' &&
    text.length <= 255 &&
    text.isWellFormed()
  return isObject && entries.length <= LIMITS.tags && entries.every(isTag)
}

export const ENQUEUE_RULES: Readonly<Record<string, Rule>> = {
  ...RUN_RULES,
  timeoutMs: orNothing(positive),
  // A storage in memory has no transactions of the user's.
  transaction: isNothing,
  startAt: orNothing(startAt),
  deadlineMs: orNothing(deadlineMs),
  tags: orNothing(tags),
  idempotencyKey: orNothing((value) => typeof value === 'string' && value.length >= 1 && value.length <= 255),
  priority: orNothing((value) => Number.isSafeInteger(value) && Math.abs(value as number) <= LIMITS.priority),
}

// How a message names the option, where it is not by its name alone.
const NAMES: Readonly<Record<string, string>> = {
  id: 'Id ',
  retryOptions: 'retry options',
  maxLosses: '(?:maxLosses|max losses)',
  run: 'function run',
}

/** The names of the options that are not as they should be. */
export function wrongNames(rules: Readonly<Record<string, Rule>>, options: object): Array<string> {
  return Object.entries(options)
    .filter(([name, value]) => !(rules[name]?.(value) ?? true))
    .map(([name]) => name)
}

/** What the message must match if some of these are wrong. */
export function naming(names: Array<string>): RegExp {
  return new RegExp(names.map((name) => (Object.hasOwn(NAMES, name) ? NAMES[name] : name)).join('|'))
}
