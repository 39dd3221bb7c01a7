/** What is read back deep-equals what was written, or writing threw. */

import assert from 'node:assert/strict'
import { runInNewContext } from 'node:vm'

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import {
  DurableExecutionCancelledError,
  DurableExecutionError,
  DurableExecutionTimedOutError,
} from './errors.ts'
import { createDefaultSerializer, type Serializer, WrappedSerializer } from './serializer.ts'

const serializer = createDefaultSerializer()
const roundTrip = (value: unknown): unknown => serializer.deserialize(serializer.serialize(value))

class Order {
  id = 'o_1'
}
class Registry extends Map {}
class Row extends Array {}

function cycle(): unknown {
  const value: Record<string, unknown> = { name: 'loop' }
  value['self'] = value
  return value
}

describe('the default serializer', () => {
  test('writes what is safe in JSON as plain JSON', () => {
    expect(serializer.serialize({ a: [1, 'x', null, true] })).toBe('{"a":[1,"x",null,true]}')
  })

  test('reads back whatever it writes, or refuses to write it', () => {
    const values = fc.anything({
      withBigInt: true,
      withBoxedValues: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withSet: true,
      withSparseArray: true,
      withTypedArray: true,
    })
    fc.assert(
      fc.property(values, (value) => {
        let text: string
        try {
          text = serializer.serialize(value)
        } catch {
          return
        }
        assert.deepStrictEqual(serializer.deserialize(text), value)
      }),
      { numRuns: 2_000 },
    )
  })

  test('writes every JSON value as plain JSON, except those with -0 or a key named __proto__', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const json = JSON.stringify(value)
        fc.pre(!json.includes('__proto__') && JSON.stringify(value, nameMinusZero) === json)
        expect(serializer.serialize(value)).toBe(json)
      }),
    )
  })

  test.each<[string, unknown]>([
    ['undefined', undefined],
    ['a property that is undefined', { a: undefined, b: 1 }],
    [
      'a hole',
      Array.of(1, 2, 3)
        .with(1, 4)
        .concat(Array.from({ length: 1 })),
    ],
    ['NaN and the infinities', [NaN, Infinity, -Infinity]],
    ['-0', { zero: -0 }],
    ['a bigint', 2n ** 70n],
    ['a date', { at: new Date(5) }],
    ['a date that is none', new Date(NaN)],
    ['a map in a set', new Set([new Map([[{ a: 1 }, 2]])])],
    ['a regular expression', /a"<b/giu],
    ['a URL', new URL('https://example.org/a?b=c')],
    ['an object without prototype', Object.assign(Object.create(null), { a: 1 })],
    ['a window on a buffer', new Uint8Array(100).fill(7).subarray(3, 9)],
    ['a view of numbers', new Float64Array([1, NaN, -0]).subarray(1)],
    ['a DataView', new DataView(new ArrayBuffer(8), 2, 4)],
    ['a Buffer', Buffer.from('hello')],
    ['a cycle', cycle()],
    ['half a character', '\ud800'],
    ['a text that looks like a tag', '~devalue1:[]'],
    ['an empty text', ''],
  ])('keeps %s', (_, value) => {
    assert.deepStrictEqual(roundTrip(value), value)
  })

  test('writes only the bytes that a view shows', () => {
    const secret = new TextEncoder().encode('secret, then shown')
    const text = serializer.serialize(secret.subarray(13))
    expect(text).toContain(Buffer.from('shown').toString('base64'))
  })

  test('takes an object of another realm for a plain one', () => {
    expect(roundTrip(runInNewContext('({ a: [1, new Date(5)] })'))).toEqual({ a: [1, new Date(5)] })
  })

  test('writes a small value that refers to itself over and over in short', () => {
    let value: unknown = 'leaf'
    for (let level = 0; level < 60; level += 1) {
      value = { left: value, right: value }
    }
    expect(serializer.serialize(value).length).toBeLessThan(2_000)
  })

  test('keeps a long list of one object', () => {
    const leaf = { a: 1 }
    const value = Array.from({ length: 20_000 }, () => leaf)
    expect(roundTrip(value)).toEqual(value)
  })

  test('keeps a value that is nested a thousand levels deep', () => {
    let value: unknown = 'leaf'
    for (let level = 0; level < 1_000; level += 1) {
      value = [value]
    }
    expect(serializer.serialize(roundTrip(value))).toBe(serializer.serialize(value))
  })

  test.each<[string, unknown, string]>([
    ['a function', { jobs: [{ run: () => 1 }] }, 'Cannot serialize a function at value.jobs[0].run'],
    ['a symbol', Symbol('s'), 'Cannot serialize a symbol at value'],
    ['a promise', { later: Promise.resolve(1) }, 'Cannot serialize a promise at value.later'],
    ['an instance', { a: new Order() }, 'Cannot serialize an instance of Order at value.a'],
    ['an instance in a map', new Map([['k', new Order()]]), 'an instance of Order at value.get("k")'],
    ['a subclass of Map', new Registry(), 'Cannot serialize an instance of Registry at value'],
    ['a subclass of Array', Row.of(1), 'or of a subclass, at value'],
    ['an array with named properties', { found: 'abc'.match(/b/) }, 'an array with named properties'],
    ['a date with properties', Object.assign(new Date(0), { zone: 'UTC' }), 'an instance of Date at value'],
    ['a key named __proto__', JSON.parse('{"a":{"__proto__":1}}'), 'a key named __proto__ at value.a'],
    ['a key that is a symbol', { [Symbol('s')]: 1 }, 'a symbol as a key at value'],
    ['an object that poses as a Map', { [Symbol.toStringTag]: 'Map' }, 'Cannot serialize'],
    ['an inherited object', Object.create({ a: 1 }), 'Cannot serialize'],
    ['a method toJSON', { toJSON: () => 1 }, 'Cannot serialize a function at value.toJSON'],
  ])('refuses %s and says where it is', (_, value, message) => {
    expect(() => serializer.serialize(value)).toThrow(message)
  })

  test('refuses without the hope of a retry', () => {
    expect(() => serializer.serialize(Symbol('s'))).toThrow(expect.objectContaining({ isRetryable: false }))
  })
})

describe('errors in values', () => {
  test('come back with name, message, stack and cause', () => {
    const error = new TypeError('outer', { cause: new RangeError('inner') })
    assert.deepStrictEqual(roundTrip({ error }), { error })
  })

  test('come back with their own properties', () => {
    const error = Object.assign(new Error('gone'), { code: 'ENOENT', path: '/a' })
    assert.deepStrictEqual(roundTrip(error), error)
  })

  test.each([
    new DurableExecutionError('plain', false),
    new DurableExecutionTimedOutError('late'),
    new DurableExecutionCancelledError('stopped'),
  ])('of ours come back as ours: $name', (error) => {
    const back = roundTrip(error) as DurableExecutionError
    assert.deepStrictEqual([back, back.getErrorType()], [error, error.getErrorType()])
  })

  test('of a class of the user come back as errors of that name', () => {
    class PaymentError extends Error {
      override name = 'PaymentError'
    }
    const back = roundTrip(new PaymentError('declined')) as Error
    expect([back instanceof Error, back.name, back.message]).toEqual([true, 'PaymentError', 'declined'])
  })

  test('come back as errors when their toJSON says too little', () => {
    const error = Object.assign(new Error('broken'), { toJSON: () => 'short' })
    expect((roundTrip(error) as Error).message).toBe('broken')
  })

  test('that cause each other in a circle can be written', () => {
    const error = new Error('outer')
    error.cause = new Error('inner', { cause: error })
    expect((roundTrip(error) as Error).message).toBe('outer')
  })
})

describe('reading hostile text', () => {
  test.each(['', '{', '~', '~devalue1:', '~devalue1:[', '~devalue1:[["Nonsense",1],2]', '~devalue1:[1e9]x'])(
    'refuses %j',
    (text) => {
      expect(() => serializer.deserialize(text)).toThrow()
    },
  )

  test('names an unknown format', () => {
    expect(() => serializer.deserialize('~devalue2:[1]')).toThrow(
      'Unknown format "~devalue2"; a newer version may have written it',
    )
  })

  test.each([
    '{"__proto__":{"polluted":1}}',
    '{"constructor":{"prototype":{"polluted":1}}}',
    '~devalue1:[{"__proto__":1},{"polluted":2},1]',
    '~devalue1:[["null","__proto__",1],{"polluted":2},1]',
    '~devalue1:[["Error",1],{"message":2,"__proto__":3},"m",{"polluted":2}]',
    '~devalue1:[["Error",1],{"message":2,"constructor":3},"m",{"prototype":4},{"polluted":2}]',
  ])('changes no prototype: %s', (text) => {
    try {
      serializer.deserialize(text)
    } catch {
      // Refused is fine as well.
    }
    expect(Reflect.has({}, 'polluted')).toBe(false)
  })

  test('never does anything but return or throw an error', () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        try {
          serializer.deserialize(`~devalue1:${json}`)
        } catch (error) {
          expect(error).toBeInstanceOf(Error)
        }
      }),
    )
  })
})

describe('a wrapped serializer', () => {
  const throwing = (): never => {
    throw new Error('broken')
  }
  const wrap = (parts: Partial<Serializer>): WrappedSerializer =>
    new WrappedSerializer({ ...createDefaultSerializer(), ...parts })

  test('passes on what the serializer writes', () => {
    expect(wrap({ serialize: () => '' }).serialize(1)).toBe('')
  })

  test('passes on what the serializer reads', () => {
    expect(wrap({}).deserialize('[1]')).toEqual([1])
  })

  test('turns what writing throws into an error that is not retryable, cause kept', () => {
    expect(() => wrap({ serialize: throwing }).serialize(1)).toThrow(
      new DurableExecutionError('Error serializing value: broken', false, { cause: new Error('broken') }),
    )
  })

  test('turns what reading throws into an error that is not retryable, cause kept', () => {
    expect(() => wrap({ deserialize: throwing }).deserialize('1')).toThrow(
      new DurableExecutionError('Error deserializing value: broken', false, { cause: new Error('broken') }),
    )
  })

  test.each([
    [undefined, 'undefined'],
    [null, 'null'],
    [1, 'number'],
    [Promise.resolve('x'), 'object'],
  ])('refuses a serializer that returns %s', (returned, kind) => {
    const broken = wrap({ serialize: () => returned as unknown as string })
    expect(() => broken.serialize(1)).toThrow(`Error serializing value: Expected a string, got ${kind}`)
  })
})

function nameMinusZero(_: string, value: unknown): unknown {
  return Object.is(value, -0) ? 'minus zero' : value
}
