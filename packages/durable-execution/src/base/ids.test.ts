/** Names: unique, in order, and the same wherever they are computed. */

import { afterEach, expect, test, vi } from 'vitest'

import { systemIds } from './ids.ts'
import { hashName } from './hash.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

const draw = (): Array<string> => Array.from({ length: 10_000 }, () => systemIds.newExecutionId())

test('an execution id is te_ and 32 hexadecimal digits', () => {
  expect(systemIds.newExecutionId()).toMatch(/^te_[0-9a-f]{32}$/)
})

test('no id is drawn twice', () => {
  expect(new Set(draw()).size).toBe(10_000)
})

test('ids sort, as text, in the order they were drawn, also within one millisecond', () => {
  const ids = draw()
  expect(ids.toSorted()).toEqual(ids)
})

test('ids go on growing while the clock stands still, or is set back', () => {
  const startedAt = Date.now()
  const now = vi.spyOn(Date, 'now').mockReturnValue(startedAt)
  const ids = draw()
  now.mockReturnValue(startedAt - 60_000)
  ids.push(...draw())
  expect(new Set(ids.toSorted())).toEqual(new Set(ids))
  expect(ids.toSorted()).toEqual(ids)
})

test('an id is a UUID of version 7 that says when it was drawn', () => {
  const before = Date.now()
  const id = systemIds.newId()
  expect(id).toMatch(/^[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$/)
  expect(Number.parseInt(id.slice(0, 12), 16)).toBeGreaterThanOrEqual(before)
})

test('two ids differ in more than a counter', () => {
  const [first = '', second = ''] = draw()
  expect(first.slice(-12)).not.toBe(second.slice(-12))
})

test('other ids are 32 hexadecimal digits', () => {
  expect(systemIds.newId()).toMatch(/^[0-9a-f]{32}$/)
})

test('a hashed name is the same for the same parts, everywhere and for ever', () => {
  expect(hashName(['a', 'b'])).toBe('0473ef2dc0d324ab659d3580c1134e9d')
})

test('a hashed name tells apart parts that read alike when joined', () => {
  const names = [['ab', 'c'], ['a', 'bc'], ['abc'], ['a","b'], ['a', 'b'], []].map(hashName)
  expect(new Set(names).size).toBe(names.length)
})
