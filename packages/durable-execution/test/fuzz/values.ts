/** Values that nobody should give, and what may be said about what became of them. */

import * as fc from 'fast-check'

import { DurableExecutionError } from '../../src/base/errors.ts'

/** What a getter of a user's own throws. */
class Boom extends Error {}

const throwing = (): never => {
  throw new Boom('boom')
}

/** An object that fails whoever looks at it. */
export const mine = (name: string): object =>
  Object.defineProperty({}, name, { enumerable: true, get: throwing })

class Named {
  name = 'an instance'
}

const NUMBERS = [
  0,
  -0,
  1,
  -1,
  0.1,
  0.09,
  1.5,
  255,
  2 ** 31,
  2 ** 53,
  -(2 ** 53),
  1e300,
  NaN,
  Infinity,
  -Infinity,
]

/** Values that are wrong nearly everywhere, without harm of their own. */
export const oddValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom<unknown>(...NUMBERS) },
  {
    weight: 4,
    arbitrary: fc.constantFrom<unknown>(undefined, null, true, false, '', '5', 'a text', '\0', '\uD800', 5n),
  },
  {
    weight: 4,
    arbitrary: fc
      .constantFrom<() => unknown>(
        () => Symbol('odd'),
        () => () => 1,
        () => ({}),
        () => [],
        () => [1],
        () => new Named(),
        () => Object.create(null) as object,
        () => ({ toString: throwing, valueOf: throwing, [Symbol.toPrimitive]: throwing }),
        () => new Date(Number.NaN),
        () => new Map(),
        () => Promise.resolve(1),
        () => new Uint8Array(2),
      )
      .map((make) => make()),
  },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 4_000_000_000_000 }) },
  { weight: 2, arbitrary: fc.anything({ maxDepth: 1 }) },
)

/** The error that something threw, or undefined. */
export async function errorOf(work: () => unknown): Promise<{ thrown: unknown } | undefined> {
  try {
    await work()
    return undefined
  } catch (thrown) {
    return { thrown }
  }
}

/** Why this is not how misuse is told: by an error of ours that is not retryable and says what is wrong; undefined if it is. */
export function faultOf(thrown: unknown, says: RegExp): string | undefined {
  if (thrown instanceof Boom) {
    // What the user's own code throws is theirs.
    return undefined
  }
  if (!(thrown instanceof DurableExecutionError)) {
    return `an error from inside: ${thrown instanceof Error ? thrown.stack : String(thrown)}`
  }
  if (thrown.isRetryable) {
    return `retryable: ${thrown.message}`
  }
  return says.test(thrown.message) ? undefined : `says "${thrown.message}", and not ${String(says)}`
}

export const isNothing = (value: unknown): value is null | undefined => value === undefined || value === null

export const isCount = (value: unknown, least: number): boolean =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= least
