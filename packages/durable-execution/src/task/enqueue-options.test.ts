/** The options of an enqueue that no task has: what is taken, and how the rest is refused. */

import { describe, expect, test } from 'vitest'

import { LIMITS } from '../base/limits.ts'
import { resolveWishes } from './enqueue-options.ts'

const NOW = 1_000_000
const wishesOf = (options: unknown): unknown => resolveWishes('X', options as never, () => NOW)

test.each([undefined, null, {}, { startAt: null, deadlineMs: undefined, tags: null }, { tags: {} }])(
  '%o wishes for nothing',
  (options) => {
    expect(wishesOf(options)).toEqual({})
  },
)

test('what is wished for is taken as it is at the call', () => {
  const startAt = new Date(NOW + 5)
  const tags = { customer: 'ACME', 'a.b:c/d-e_f': '', constructor: '\0' }
  const wishes = wishesOf({ startAt, deadlineMs: 0.5, tags })
  startAt.setTime(0)
  tags.customer = 'changed'
  expect(wishes).toEqual({
    startAt: NOW + 5,
    deadlineMs: 0.5,
    tags: { customer: 'ACME', 'a.b:c/d-e_f': '', constructor: '\0' },
  })
})

test('the limits themselves are taken', () => {
  const name = 'n'.repeat(LIMITS.nameLength)
  const tags = Object.fromEntries(Array.from({ length: LIMITS.tags - 1 }, (_, index) => [`t${index}`, '']))
  const options = {
    startAt: new Date(NOW + LIMITS.delayMs),
    deadlineMs: LIMITS.delayMs,
    tags: { ...tags, [name]: name },
  }
  expect(wishesOf(options)).toEqual({ ...options, startAt: NOW + LIMITS.delayMs })
  expect(wishesOf({ startAt: new Date(-8.64e15) })).toEqual({ startAt: -8.64e15 })
  expect(wishesOf({ tags: Object.assign(Object.create(null), { a: 'b' }) })).toEqual({ tags: { a: 'b' } })
})

describe('refused', () => {
  const refused: Array<[object, string]> = [
    ...Object.entries<unknown>({
      5: 5,
      '2030-01-01': '2030-01-01',
      'an invalid Date': new Date(NaN),
      object: {},
      '2069-12-07T00:16:40.001Z': new Date(NOW + LIMITS.delayMs + 1),
    }).map(([got, startAt]): [object, string] => [
      { startAt },
      `Invalid startAt for task X: it must be a Date, at most a hundred years from now (limit: delayMs), got ${got}`,
    ]),
    [
      { startAt: new Date(NOW), sleepMsBeforeRun: 0 },
      'Invalid startAt for task X: sleepMsBeforeRun is given too, and they are two ways to say the same. Give one of them.',
    ],
    ...[0, -1, NaN, Infinity, LIMITS.delayMs + 1, '5', 5n, new Date(5)].map(
      (deadlineMs): [object, string] => [
        { deadlineMs },
        'Invalid deadlineMs for task X: it must be a number of milliseconds, more than 0 and at most 3153600000000 ' +
          `(limit: delayMs), got ${deadlineMs instanceof Date ? 'object' : String(deadlineMs)}`,
      ],
    ),
    ...[[], new Map([['a', 'b']]), 'a', 5, () => 1, new Date(0)].map((tags): [object, string] => [
      { tags },
      'Invalid tags for task X: they must be an object whose values are texts, got ' +
        (typeof tags === 'object' ? 'object' : typeof tags === 'function' ? 'function' : String(tags)),
    ]),
    [
      { tags: Object.fromEntries(Array.from({ length: 21 }, (_, index) => [`t${index}`, ''])) },
      'Invalid tags for task X: at most 20 are allowed (limit: tags), got 21',
    ],
    ...['', 'a b', 'ä', '__proto__', 'n'.repeat(256), 'x\n'].map((name): [object, string] => [
      { tags: { [name]: '' } },
      'Invalid tags for task X: a name has 1 to 255 letters, digits and characters of _ . : / - (limit: nameLength), ' +
        `and is not __proto__; got ${JSON.stringify(name)}`,
    ]),
    ...Object.entries<unknown>({ 5: 5, null: null, undefined, object: {} }).map(
      ([got, value]): [object, string] => [
        { tags: { a: value } },
        `Invalid tags for task X: the value of a must be a text, got ${got}`,
      ],
    ),
    [
      { tags: { a: 'x'.repeat(256) } },
      'Invalid tags for task X: the value of a has 256 characters; at most 255 are allowed (limit: nameLength)',
    ],
    [
      { tags: { a: 'x\uD800' } },
      'Invalid tags for task X: the value of a has half of a character, a surrogate without the other',
    ],
  ]
  test.each(refused)('%o', (options, message) => {
    expect(() => wishesOf(options)).toThrow(expect.objectContaining({ message, isRetryable: false }))
  })
})
