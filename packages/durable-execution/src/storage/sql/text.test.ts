/** Any text comes through. */

import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { fromSqlText, toSqlText } from './text.ts'

const anyText = fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units))

test('any text comes back the same', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      expect(fromSqlText(toSqlText(text))).toBe(text)
    }),
  )
})

test('what is kept has no NUL and no lone surrogate', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      expect(toSqlText(text).isWellFormed() && !toSqlText(text).includes('\0')).toBe(true)
    }),
  )
})

test('a text that looks like an escaped one is no other text', () => {
  expect(fromSqlText(toSqlText(toSqlText('\0')))).toBe(toSqlText('\0'))
})

test('ordinary text is kept as it is', () => {
  expect(toSqlText('{"name":"Zoë 🦊"}')).toBe('{"name":"Zoë 🦊"}')
})
