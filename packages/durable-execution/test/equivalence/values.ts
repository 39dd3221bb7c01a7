/** Generated values for the fields of rows: texts that are hard to keep, moments, numbers. */

import * as fc from 'fast-check'

/** The moment around which all others lie. */
const START_MS = Date.UTC(2024, 1, 29, 12, 30, 15, 250)

/** So many tenths of a second after the start. */
export const moment = (tenths: number): Date => new Date(START_MS + tenths * 100)

const HARD_TEXTS = [
  '',
  '\0',
  'a\0b',
  '\uD83D',
  '\uDE00\uD83D',
  // What the storages themselves write: escapes, separators, an absent value.
  '\u001B',
  '\u001B"a"',
  '\u001B{',
  '\u001E',
  '\u001F',
  'a\u001Fb\u001Ec',
  '\\N',
  'null',
  'NULL',
  '{}',
  '{"a,b"}',
  `'; drop table durable_execution_executions; --`,
  '"\'`$1?1:a@b%_\\',
  '$$ begin $$',
  '\r\n\t\u2028\u2029',
  '\uFEFF',
  'e\u0301 \u00E9',
  '👩‍👩‍👧‍👦 \u{10FFFF} \uFFFF',
  '{"__proto__":{"polluted":true}}',
  '1e3',
  ' ',
  'null ',
] as const

// More than what fits into a page of a database beside others.
const longText = fc
  .tuple(fc.constantFrom('x', 'é😀', '\u001F', '\0', '\uD800'), fc.constantFrom(2_100, 9_000))
  .map(([text, times]) => text.repeat(times))

const anyCodeUnits = fc
  .array(fc.integer({ min: 0, max: 0xff_ff }), { maxLength: 12 })
  .map((units) => String.fromCharCode(...units))

/** Any text at all; often one that is hard to keep, seldom a very long one. */
export const text: fc.Arbitrary<string> = fc.oneof(
  { weight: 60, arbitrary: fc.constantFrom(...HARD_TEXTS) },
  { weight: 20, arbitrary: fc.string({ maxLength: 8 }) },
  { weight: 20, arbitrary: anyCodeUnits },
  { weight: 1, arbitrary: longText },
)

/** Few enough that rows, clauses and updates meet, and hard to tell apart for who is careless. */
export const IDS = [
  'te_a',
  'te_b',
  'TE_A',
  'te_a ',
  'te_a!state',
  'te_a:s:1',
  "te_'a:s\u001F:1",
  "te_'a",
  'te_"a',
  'te_\u001F\u001E',
  '\u001B"te_a"',
  'te_\0',
  'te_\uD800',
  'te_\uDC00\uD800',
  'te_😀',
  'te_e\u0301',
  'te_\u00E9',
  '',
] as const

export const TASK_IDS = ['task', 'TASK', 'task_2', 'aufgabe_\u00E4'] as const
export const LEASE_IDS = ['lease', "lease'", 'lease\u001F', '\u001Blease', 'lease\0', ''] as const

/** A moment close to the start, so that ties and borders come up. */
export const nearMoment: fc.Arbitrary<Date> = fc.integer({ min: 0, max: 30 }).map(moment)

// A claim adds a millisecond to when a row was started, so the very last moment is not among them.
const FAR_MS = [0, -1, 1, 253_402_300_799_999, -62_198_755_200_000, 8.64e15 - 1_000, -8.64e15]

/** Most moments are close to the start; some are far off. */
export const someMoment: fc.Arbitrary<Date> = fc.oneof(
  { weight: 12, arbitrary: nearMoment },
  { weight: 1, arbitrary: fc.constantFrom(...FAR_MS).map((ms) => new Date(ms)) },
)

/** A count as the engine keeps it: small, or as large as a whole number can be. */
export const count: fc.Arbitrary<number> = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 3 }) },
  { weight: 1, arbitrary: fc.constantFrom(2 ** 31, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER) },
)

/** A limit: none, nothing, few, or one that means none. */
export const limit: fc.Arbitrary<number | undefined> = fc.constantFrom(
  undefined,
  0,
  1,
  2,
  3,
  5,
  100,
  -1,
  Number.NaN,
  Infinity,
)
