/** The serializer of programs that used superjson. */

import { parse, stringify } from 'superjson'
import { expect, test } from 'vitest'

import { createSuperjsonSerializer } from './superjson.ts'

const serializer = createSuperjsonSerializer()

test('keeps dates, maps, sets and bigints', () => {
  const value = { at: new Date(5), byId: new Map([['a', new Set([1n])]]), nothing: undefined }
  expect(serializer.deserialize(serializer.serialize(value))).toEqual(value)
})

test('reads what superjson wrote', () => {
  expect(serializer.deserialize(stringify({ at: new Date(5) }))).toEqual({ at: new Date(5) })
})

test('writes what superjson reads', () => {
  expect(parse(serializer.serialize([1, new Date(5)]))).toEqual([1, new Date(5)])
})
