/** What may be said of one execution, and not of its task: the options of an enqueue that no task has, checked. */

import { types } from 'node:util'

import { type Millis } from '../base/clock.ts'
import { DurableExecutionError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { type Wishes } from '../machine/event.ts'
import { type DurableTaskEnqueueOptions, isGiven, shown } from './options.ts'

type Given = DurableTaskEnqueueOptions | null | undefined

const NO_WISHES: Wishes = {}

/** Checks when an execution is to begin and to end, and what it is found by. `now` is asked only where it matters. */
export function resolveWishes(taskId: string, given: Given, now: () => Millis): Wishes {
  if (!isGiven(given)) {
    return NO_WISHES
  }
  const { startAt, sleepMsBeforeRun, deadlineMs, tags } = given
  const wishes: Wishes = {}
  if (isGiven(startAt)) {
    wishes.startAt = resolveStartAt(taskId, startAt, now())
    if (isGiven(sleepMsBeforeRun)) {
      throw new DurableExecutionError(
        `Invalid startAt for task ${taskId}: sleepMsBeforeRun is given too, and they are two ways to say the same. Give one of them.`,
        false,
      )
    }
  }
  if (isGiven(deadlineMs)) {
    wishes.deadlineMs = resolveDeadlineMs(taskId, deadlineMs)
  }
  if (isGiven(tags)) {
    const resolved = resolveTags(taskId, tags)
    if (Object.keys(resolved).length > 0) {
      wishes.tags = resolved
    }
  }
  return wishes
}

/** Checks the key under which there is to be one execution of the task; undefined without one. */
export function resolveKey(taskId: string, given: Given): string | undefined {
  const key: unknown = given?.idempotencyKey
  if (!isGiven(key)) {
    return undefined
  }
  if (typeof key === 'string' && key.length >= 1 && key.length <= LIMITS.nameLength) {
    return key
  }
  const got = typeof key === 'string' ? `${key.length} characters` : shown(key)
  throw new DurableExecutionError(
    `Invalid idempotencyKey for task ${taskId}: it must be a text of 1 to ${LIMITS.nameLength} characters (limit: nameLength), got ${got}`,
    false,
  )
}

function resolveStartAt(taskId: string, given: unknown, now: Millis): Millis {
  const at = types.isDate(given) ? given.getTime() : NaN
  if (at <= now + LIMITS.delayMs) {
    return at
  }
  const got = types.isDate(given)
    ? Number.isNaN(at)
      ? 'an invalid Date'
      : given.toISOString()
    : shown(given)
  throw new DurableExecutionError(
    `Invalid startAt for task ${taskId}: it must be a Date, at most a hundred years from now (limit: delayMs), got ${got}`,
    false,
  )
}

function resolveDeadlineMs(taskId: string, given: unknown): Millis {
  if (typeof given === 'number' && given > 0 && given <= LIMITS.delayMs) {
    return given
  }
  throw new DurableExecutionError(
    `Invalid deadlineMs for task ${taskId}: it must be a number of milliseconds, more than 0 and ` +
      `at most ${LIMITS.delayMs} (limit: delayMs), got ${shown(given)}`,
    false,
  )
}

const TAG_NAME = /^[\w.:/-]+$/

function resolveTags(taskId: string, given: unknown): Record<string, string> {
  const refuse = (reason: string): never => {
    throw new DurableExecutionError(`Invalid tags for task ${taskId}: ${reason}`, false)
  }
  // A Map or a list has no tags by these rules, and to keep none of them in silence would promise what is not kept.
  if (Object.prototype.toString.call(given) !== '[object Object]') {
    refuse(`they must be an object whose values are texts, got ${shown(given)}`)
  }
  const tags = Object.entries(given as object) as Array<[string, unknown]>
  if (tags.length > LIMITS.tags) {
    refuse(`at most ${LIMITS.tags} are allowed (limit: tags), got ${tags.length}`)
  }
  for (const [name, value] of tags) {
    if (!TAG_NAME.test(name) || name.length > LIMITS.nameLength || name === '__proto__') {
      refuse(
        `a name has 1 to ${LIMITS.nameLength} letters, digits and characters of _ . : / - (limit: nameLength), ` +
          `and is not __proto__; got ${JSON.stringify(name.slice(0, LIMITS.nameLength + 1))}`,
      )
    }
    if (typeof value !== 'string') {
      refuse(`the value of ${name} must be a text, got ${shown(value)}`)
    } else if (value.length > LIMITS.nameLength) {
      refuse(
        `the value of ${name} has ${value.length} characters; at most ${LIMITS.nameLength} are allowed (limit: nameLength)`,
      )
    } else if (!value.isWellFormed()) {
      refuse(`the value of ${name} has half of a character, a surrogate without the other`)
    }
  }
  return Object.fromEntries(tags) as Record<string, string>
}
