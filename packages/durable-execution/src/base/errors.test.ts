/** Whatever goes wrong becomes an error of ours, and comes back from its row as it was. */

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import {
  cutMessage,
  DurableExecutionCancelledError,
  DurableExecutionError,
  DurableExecutionTimedOutError,
  fromErrorStorageObject,
  messageOf,
  toDurableExecutionError,
  toErrorStorageObject,
} from './errors.ts'
import { LIMITS } from './limits.ts'

const refuse = (): never => {
  throw new Error('hostile')
}

const HOSTILE: Array<[string, unknown]> = [
  ['an object whose toString throws', { toString: refuse }],
  ['an object without prototype', Object.create(null)],
  ['an error whose message throws', Object.defineProperty(new Error('x'), 'message', { get: refuse })],
  ['a proxy that throws at every touch', new Proxy({}, { get: refuse, getPrototypeOf: refuse })],
  ['a proxy that was revoked', revokedProxy()],
]

function revokedProxy(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

describe('the errors', () => {
  test.each([
    [new DurableExecutionError('m'), 'DurableExecutionError', 'generic', 'm', true],
    [new DurableExecutionError('m', false), 'DurableExecutionError', 'generic', 'm', false],
    [
      new DurableExecutionTimedOutError(),
      'DurableExecutionTimedOutError',
      'timed_out',
      'Task timed out',
      true,
    ],
    [new DurableExecutionTimedOutError('m', false), 'DurableExecutionTimedOutError', 'timed_out', 'm', false],
    [
      new DurableExecutionCancelledError(),
      'DurableExecutionCancelledError',
      'cancelled',
      'Task cancelled',
      false,
    ],
    [new DurableExecutionCancelledError('m'), 'DurableExecutionCancelledError', 'cancelled', 'm', false],
  ])('say what they are: %s', (error, name, type, message, isRetryable) => {
    expect([error.name, error.getErrorType(), error.message, error.isRetryable]).toEqual([
      name,
      type,
      message,
      isRetryable,
    ])
  })

  test('are errors and keep their cause', () => {
    const cause = new Error('inner')
    const error = new DurableExecutionTimedOutError('outer', true, { cause })
    expect([error instanceof Error, error instanceof DurableExecutionError, error.cause]).toEqual([
      true,
      true,
      cause,
    ])
  })
})

describe('what was thrown', () => {
  test('is left as it is when it is an error of ours', () => {
    const error = new DurableExecutionCancelledError()
    expect(toDurableExecutionError(error)).toBe(error)
  })

  test('becomes a retryable error with the message of any other error, and that as its cause', () => {
    const thrown = new TypeError('broken')
    const { message, isRetryable, cause } = toDurableExecutionError(thrown)
    expect({ message, isRetryable, cause }).toEqual({ message: 'broken', isRetryable: true, cause: thrown })
  })

  test.each([
    ['text', 'text'],
    [undefined, 'undefined'],
    [null, 'null'],
    [42, '42'],
    [Symbol('s'), 'Symbol(s)'],
    [{ a: 1 }, '[object Object]'],
    [Object.assign(new Error('x'), { message: 7 }), '7'],
  ])('gives the message of its text when it is no error: %s', (thrown, message) => {
    expect(toDurableExecutionError(thrown).message).toBe(message)
  })

  test.each(HOSTILE)('may be %s', (_, thrown) => {
    expect(toDurableExecutionError(thrown)).toMatchObject({ message: 'Unknown error', isRetryable: true })
  })

  test.each(HOSTILE)('has a message even if it is %s', (_, thrown) => {
    expect(messageOf(thrown)).toBe('Unknown error')
  })

  test('may be anything at all', () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true }), (thrown) => {
        expect(typeof toErrorStorageObject(toDurableExecutionError(thrown)).message).toBe('string')
      }),
    )
  })
})

describe('an error in a row', () => {
  test.each([
    new DurableExecutionError('m'),
    new DurableExecutionError('m', false),
    new DurableExecutionTimedOutError('m', false),
    new DurableExecutionTimedOutError('m', true),
    new DurableExecutionCancelledError('m'),
  ])('comes back as it was: %s', (error) => {
    expect(fromErrorStorageObject(toErrorStorageObject(error))).toStrictEqual(error)
  })

  test('has its message cut', () => {
    const error = new DurableExecutionError('x'.repeat(LIMITS.errorMessageLength + 1))
    expect(toErrorStorageObject(error).message).toHaveLength(LIMITS.errorMessageLength)
  })
})

describe('a message that is cut', () => {
  const limit = LIMITS.errorMessageLength

  test('is left as it is up to the limit', () => {
    const message = 'x'.repeat(limit)
    expect(cutMessage(message)).toBe(message)
  })

  // Only the ends are compared, so that a failure can be read.
  test('ends before a character of two halves that lies across the limit', () => {
    const cut = cutMessage(`${'x'.repeat(limit - 1)}😀`)
    expect([cut.length, cut.slice(-2)]).toEqual([limit - 1, 'xx'])
  })

  test('keeps a character of two halves that just fits', () => {
    const cut = cutMessage(`${'x'.repeat(limit - 2)}😀y`)
    expect([cut.length, cut.slice(-3)]).toEqual([limit, 'x😀'])
  })

  test('keeps such a character also after a half one elsewhere', () => {
    const cut = cutMessage(`\ud800${'x'.repeat(limit - 3)}😀y`)
    expect([cut.length, cut.slice(-3)]).toEqual([limit, 'x😀'])
  })
})
