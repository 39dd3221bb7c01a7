/** Whatever is serialized comes back as it was or is refused, and no text does harm to who reads it. */

import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'

import * as fc from 'fast-check'
import { describe } from 'vitest'

import {
  DurableExecutionCancelledError,
  DurableExecutionError,
  DurableExecutionTimedOutError,
} from '../../src/base/errors.ts'
import { createDefaultSerializer, WrappedSerializer } from '../../src/base/serializer.ts'
import { createSuperjsonSerializer } from '../../src/superjson.ts'
import { testProperty } from '../equivalence/runs.ts'
import { text } from '../equivalence/values.ts'
import { hostileText, superjsonKey } from './hostile-texts.ts'
import { oddValue } from './values.ts'

const plainSerializer = new WrappedSerializer(createDefaultSerializer())
const superjsonSerializer = new WrappedSerializer(createSuperjsonSerializer())

const KEYS = [
  '__proto__',
  'constructor',
  'prototype',
  'toJSON',
  'then',
  'a.b',
  'a\\.b',
  'a\\',
  '',
  '0',
  'length',
  'json',
  'meta',
]

const anything = fc.anything({
  key: fc.oneof(fc.constantFrom(...KEYS), text),
  values: [
    text,
    fc.double(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.constant(undefined),
    fc.bigInt(),
    fc.date(),
  ],
  withMap: true,
  withSet: true,
  withNullPrototype: true,
  withSparseArray: true,
  withTypedArray: true,
  withBoxedValues: true,
  withObjectString: true,
  maxDepth: 4,
})

const levels = fc.constantFrom(150, 199, 200, 201, 2_000, 20_000)

/** A text inside of so many others; too many for whoever calls itself for each. */
function nest(count: number, kind: 'list' | 'object' | 'map'): unknown {
  let value: unknown = 'innermost'
  for (let level = 0; level < count; level += 1) {
    value = kind === 'list' ? [value] : kind === 'object' ? { in: value } : new Map([['in', value]])
  }
  return value
}

/** How deep a text lies in the value. */
function depthOf(value: unknown): number {
  let depth = 0
  let inner = value
  while (typeof inner === 'object' && inner !== null) {
    inner = inner instanceof Map ? inner.get('in') : Object.values(inner)[0]
    depth += 1
  }
  assert.equal(inner, 'innermost')
  return depth
}

/** Objects that lead back to themselves, or to one another twice. */
const cyclic = fc.tuple(anything, anything).map(([left, right]) => {
  const one: Record<string, unknown> = { left, again: left }
  const list: Array<unknown> = [one, right, one]
  one['list'] = list
  return list
})

class OwnMap extends Map<unknown, unknown> {}
class OwnDate extends Date {}
class OwnList extends Array<unknown> {}

// An error comes back with what is said of it, and not with all that it has; named properties of typed arrays are not looked at,
// for what that would cost, and a buffer is its bytes.
const isLeftOut = (one: object, key: PropertyKey): boolean =>
  one instanceof Error || Buffer.isBuffer(one) || (ArrayBuffer.isView(one) && typeof key === 'string')

// Each is nearly what it seems: with a property, or a class, that its kind does not have.
const decorated = fc
  .tuple(
    fc.constantFrom<() => object>(
      () => [1],
      () => new Date(0),
      () => new Map([[1, 2]]),
      () => new Set([1]),
      () => /a/g,
      () => new Uint8Array([1, 2]),
      () => new ArrayBuffer(2),
      () => Object('text') as object,
      () => Object(1) as object,
      () => Object(1n) as object,
      () => new TypeError('no'),
      () => Buffer.from('ab'),
      () => ({ a: 1 }),
      () => new OwnMap(),
      () => new OwnDate(0),
      () => OwnList.from([1]),
      () => Object.create({ inherited: 1 }) as object,
      () => Object.create(Array.prototype) as object,
      () => Object.create(Date.prototype) as object,
    ),
    fc.constantFrom<PropertyKey | undefined>(
      undefined,
      'more',
      '7',
      Symbol('more'),
      Symbol.toStringTag,
      '__proto__',
    ),
    fc.constantFrom<unknown>(1, 'Map', 'Date', undefined),
  )
  .map(([make, key, put]) => {
    const one = make()
    if (key !== undefined && !isLeftOut(one, key)) {
      Reflect.defineProperty(one, key, { value: put, enumerable: true, configurable: true, writable: true })
    }
    return { one }
  })

const value = fc.oneof(
  { weight: 4, arbitrary: decorated },
  { weight: 12, arbitrary: anything },
  { weight: 4, arbitrary: oddValue },
  { weight: 2, arbitrary: cyclic },
)

const BUILT_IN: ReadonlySet<unknown> = new Set([
  null,
  ...[Object, Array, Date, Map, Set, RegExp, URL, URLSearchParams, ArrayBuffer, DataView, Buffer].map(
    (one) => one.prototype,
  ),
  ...[String, Number, Boolean, BigInt, Promise].map((one) => one.prototype),
  ...[Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array].map(
    (one) => one.prototype,
  ),
  ...[Float32Array, Float64Array, BigInt64Array, BigUint64Array].map((one) => one.prototype),
  ...[Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, AggregateError].map(
    (one) => one.prototype,
  ),
  DOMException.prototype,
  ...[DurableExecutionError, DurableExecutionTimedOutError, DurableExecutionCancelledError].map(
    (one) => one.prototype,
  ),
])

describe('the default serializer', () => {
  testProperty(
    'gives back what it wrote, or refuses to write it',
    fc.property(value, (given) => {
      const written = attempt(() => plainSerializer.serialize(given), 'Error serializing value')
      if (written !== undefined) {
        const read = attempt(() => plainSerializer.deserialize(written.value), 'nothing may be refused')
        assert.ok(read)
        assert.ok(isDeepStrictEqual(read.value, given), `came back changed: ${written.value.slice(0, 500)}`)
      }
      assertUntouched()
    }),
    2_000,
  )

  testDepth(plainSerializer, 40)

  testProperty(
    'reads no text into anything but plain values',
    fc.property(hostileText, (given) => {
      const read = attempt(() => plainSerializer.deserialize<unknown>(given), 'Error deserializing value')
      assertHarmless(read?.value)
      assertUntouched()
    }),
    2_000,
  )
})

describe('the superjson serializer', () => {
  // What superjson leaves out is its own affair; what it knows must come back. An invalid date, which it writes as null, is not given.
  const known = fc.anything({
    key: fc.oneof(
      fc.constantFrom('a.b', 'a\\.b', 'a\\', '', '0', 'length', 'json', 'meta', 'toString'),
      superjsonKey,
    ),
    values: [
      fc.string(),
      fc.double(),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.constant(undefined),
      fc.bigInt(),
      fc.date({ noInvalidDate: true }),
    ],
    withMap: true,
    withSet: true,
    maxDepth: 3,
  })

  testProperty(
    'gives back what superjson knows',
    fc.property(known, (given) => {
      const read = superjsonSerializer.deserialize<unknown>(superjsonSerializer.serialize(given))
      assert.deepStrictEqual(read, given)
    }),
    1_000,
  )

  testProperty(
    'writes whatever it is given, or refuses it by an error of ours',
    fc.property(value, (given) => {
      const written = attempt(() => superjsonSerializer.serialize(given), 'Error serializing value')
      if (written !== undefined) {
        attempt(() => superjsonSerializer.deserialize<unknown>(written.value), 'Error deserializing value')
      }
      assertUntouched()
    }),
    1_000,
  )

  testDepth(superjsonSerializer, 6)

  testProperty(
    'reads no text into anything but plain values',
    fc.property(hostileText, (given) => {
      const read = attempt(() => superjsonSerializer.deserialize<unknown>(given), 'Error deserializing value')
      // Its paths may lead to a method, which is then where it should not be, and still as it was.
      assertHarmless(read?.value, METHODS)
      assertUntouched()
    }),
    2_000,
  )
})

function testDepth(serializer: WrappedSerializer, runs: number): void {
  testProperty(
    'keeps values of any depth, or refuses them by an error of ours',
    fc.property(levels, fc.constantFrom('list', 'object', 'map'), (count, kind) => {
      const written = attempt(() => serializer.serialize(nest(count, kind)), 'Error serializing value')
      const read =
        written && attempt(() => serializer.deserialize(written.value), 'Error deserializing value')
      assert.ok(read === undefined || depthOf(read.value) === count)
      assert.ok(read !== undefined || count > 201, 'not even so many levels')
    }),
    runs,
  )
}

/** What it gave; undefined if it refused, by an error that begins like this. */
function attempt<T>(work: () => T, refusal: string): { value: T } | undefined {
  try {
    return { value: work() }
  } catch (error) {
    assert.ok(error instanceof DurableExecutionError, `not an error of ours: ${String(error)}`)
    assert.equal(error.isRetryable, false)
    assert.ok(error.message.startsWith(refusal), error.message)
    return undefined
  }
}

const PROTOTYPES = [Object, Array, Function, String, Number, Map, Set, Date, Error].map(
  (one) => one.prototype as object,
)
const METHODS: ReadonlySet<unknown> = new Set(
  PROTOTYPES.flatMap((one) => Object.values(Object.getOwnPropertyDescriptors(one)))
    .map((property: PropertyDescriptor) => property.value as unknown)
    .filter((member) => typeof member === 'function'),
)
const namesOf = (): string =>
  JSON.stringify([...PROTOTYPES, ...METHODS].map((one) => Reflect.ownKeys(one as object).map(String)))
const NAMES = namesOf()

function assertUntouched(): void {
  assert.equal(namesOf(), NAMES, 'a prototype was changed')
}

/** Fails if anything below the value has a prototype that a text made. */
function assertHarmless(value: unknown, methods: ReadonlySet<unknown> = new Set()): void {
  const seen = new Set<unknown>()
  const left: Array<unknown> = [value]
  while (left.length > 0) {
    const one = left.pop()
    assert.ok(typeof one !== 'function' || methods.has(one), 'a function was made')
    if (typeof one === 'object' && one !== null && !seen.has(one)) {
      seen.add(one)
      const prototype: unknown = Object.getPrototypeOf(one)
      assert.ok(
        BUILT_IN.has(prototype) || isTemporal(prototype),
        'an object has a prototype that a text made',
      )
      left.push(
        ...(one instanceof Map ? [...one].flat() : one instanceof Set ? [...one] : Object.values(one)),
      )
    }
  }
}

function isTemporal(prototype: unknown): boolean {
  return Object.prototype.toString.call(prototype).startsWith('[object Temporal.')
}
