/** Texts as somebody would write them who means harm to whoever reads them back. */

import * as fc from 'fast-check'

import { RICH_TEXT_TAG } from '../../src/base/rich-text.ts'
import { createDefaultSerializer } from '../../src/base/serializer.ts'
import { createSuperjsonSerializer } from '../../src/superjson.ts'
import { text } from '../equivalence/values.ts'

const NAMES = ['__proto__', 'constructor', 'prototype', 'toString', 'length', 'a', 'b', '0', '']
const PATHS = [
  ...NAMES,
  '__proto__.polluted',
  'constructor.prototype.polluted',
  'a.__proto__.polluted',
  'a.b',
  'a.0',
  'a\\.b',
]

const name = fc.constantFrom(...NAMES)
const path = fc.constantFrom(...PATHS)

// Written by hand, since no object of JavaScript has two keys of a name, or `__proto__` as one of its own so easily.
const { json } = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.oneof(
      fc.constantFrom(
        'null',
        'true',
        '1',
        '-0',
        '1e999',
        '"a"',
        '[]',
        '{}',
        '"\\ud800"',
        '"__proto__"',
        '{"polluted":true}',
      ),
      text.map((one) => JSON.stringify(one)),
    ),
    fc.array(tie('json'), { maxLength: 4 }).map((parts) => `[${parts.join()}]`),
    fc
      .array(fc.tuple(name, tie('json')), { maxLength: 4 })
      .map((parts) => `{${parts.map(([key, part]) => `${JSON.stringify(key)}:${part}`).join()}}`),
  ),
}))

const TAGS = [
  'Date',
  'Map',
  'Set',
  'RegExp',
  'Object',
  'null',
  'BigInt',
  'URL',
  'URLSearchParams',
  'Error',
  'Buffer',
  'Uint8Array',
  'Float64Array',
  'ArrayBuffer',
  'DataView',
  'Temporal.Instant',
  'Temporal.Duration',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'Function',
  'eval',
]
const place = fc.integer({ min: -8, max: 9 })

const cell: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    'a',
    '',
    'AAAA',
    '====',
    '/(a+)+$/',
    1,
    -7,
    1e9,
    null,
    true,
    '__proto__',
    'https://a',
    [],
    {},
  ),
  fc.tuple(fc.constantFrom(...TAGS), fc.oneof(place, path)),
  fc.tuple(fc.constantFrom(...TAGS), fc.oneof(place, path), place, place),
  fc.array(place, { maxLength: 4 }),
  // A list with holes, of any length.
  fc.tuple(fc.constantFrom(-7, -8), fc.constantFrom(-1, 0, 3, 2 ** 32 - 1, 2 ** 53, 'length'), place, place),
  fc.dictionary(fc.oneof(name, fc.constantFrom('name', 'message', 'stack', 'cause', 'isRetryable')), place, {
    maxKeys: 3,
  }),
)

const devalueLike = fc
  .array(cell, { minLength: 1, maxLength: 8 })
  .map((cells) => `${RICH_TEXT_TAG}${JSON.stringify(cells).replaceAll('"toString"', '"__proto__"')}`)

const annotation = fc.oneof(
  fc.constantFrom<unknown>(
    ['Date'],
    ['map'],
    ['set'],
    ['regexp'],
    ['bigint'],
    ['Error'],
    ['undefined'],
    ['number'],
    ['URL'],
  ),
  fc.tuple(
    fc.tuple(
      fc.constantFrom('class', 'custom', 'symbol', 'typed-array'),
      fc.constantFrom('Function', 'Object', '__proto__', 'Int8Array'),
    ),
  ),
)

const superjsonLike = fc
  .tuple(
    json,
    fc.array(fc.tuple(path, annotation), { maxLength: 3 }),
    fc.array(fc.tuple(path, path), { maxLength: 3 }),
  )
  .map(([of, values, equalities]) => {
    const parts = values.map(([key, one]) => `${JSON.stringify(key)}:${JSON.stringify(one)}`)
    const equals = equalities.map(([from, to]) => `${JSON.stringify(from)}:[${JSON.stringify(to)}]`)
    return `{"json":${of},"meta":{"values":{${parts.join()}},"referentialEqualities":{${equals.join()}}}}`
  })

/** Any key that superjson takes: some it refuses, so that no text can reach a prototype. */
export const superjsonKey: fc.Arbitrary<string> = fc
  .string()
  .filter((key) => !['__proto__', 'prototype', 'constructor'].includes(key))

/** A text of one of the serializers, with some characters gone, doubled or put elsewhere. */
const damaged = fc
  .tuple(
    fc.anything({
      key: superjsonKey,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withBigInt: true,
      maxDepth: 3,
    }),
    fc.constantFrom(createDefaultSerializer(), createSuperjsonSerializer()),
    fc.array(fc.tuple(fc.nat(), fc.constantFrom('', '"', '0', '-', '[', '}', '\\', '__proto__', ',')), {
      maxLength: 4,
    }),
  )
  .map(([value, serializer, damages]) => {
    let written = serializer.serialize(value)
    for (const [at, put] of damages) {
      const start = at % (written.length + 1)
      written = written.slice(0, start) + put + written.slice(start + (put === '' ? 1 : 0))
    }
    return written
  })

/** Nested deeper than whoever calls itself for each level can go. */
const deepText = fc
  .tuple(fc.constantFrom(1, 100, 1_000, 12_000), fc.constantFrom('', RICH_TEXT_TAG))
  .map(([levels, tag]) => tag + '['.repeat(levels) + ']'.repeat(levels))

/** Any text, most of them nearly what a serializer writes. */
export const hostileText: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: json },
  { weight: 5, arbitrary: devalueLike },
  { weight: 4, arbitrary: superjsonLike },
  { weight: 4, arbitrary: damaged },
  { weight: 2, arbitrary: text },
  { weight: 1, arbitrary: text.map((one) => `~${one}`) },
  { weight: 1, arbitrary: json.map((one) => RICH_TEXT_TAG + one) },
  { weight: 1, arbitrary: deepText },
)
