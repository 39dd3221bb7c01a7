/** Copies of what callers hand in and get: the store and its callers share nothing that can change. */

import { type Millis } from '../../base/clock.ts'
import { DurableExecutionError } from '../../base/errors.ts'

/** A copy of an object or list, all the way down, without fields that are `undefined`; anything else as it is. */
export function copyOf<T>(value: T): T {
  if (typeof value !== 'object' || value === null) {
    return value
  }
  if (Array.isArray(value)) {
    return value.map(copyOf) as T
  }
  // The spread copies an object of a known shape in one step; most have nothing below them to copy.
  const copy = { ...value } as Record<string, unknown>
  for (const name in copy) {
    const field = copy[name]
    if (field === undefined) {
      return copyWithoutUndefined(copy) as T
    }
    if (typeof field === 'object') {
      copy[name] = copyOf(field)
    }
  }
  return copy as T
}

// Deleting would make the copy slow to copy again, for the rest of its life.
function copyWithoutUndefined(value: Record<string, unknown>): Record<string, unknown> {
  return copyOf(Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)))
}

/** Copies like {@link copyOf}, but equal answers for the same object given again and again. Only for one call. */
export function createSharedCopy(): <T>(value: T) => T {
  let last: unknown
  let copy: unknown
  return <T>(value: T): T => {
    if (value !== last) {
      copy = copyOf(value)
      last = value
    }
    return copy as T
  }
}

/** The moment as a number, which is smaller and quicker to compare. */
export function millisOf(date: Date): Millis {
  const millis = date.getTime()
  if (Number.isNaN(millis)) {
    throw new DurableExecutionError('An invalid date cannot be stored', false)
  }
  return millis
}
