/** Which statements have names. */

import { expect, test } from 'vitest'

import { systemIds } from '../../base/ids.ts'
import { createStatementNames } from './names.ts'

test('a text keeps its name, and no other text has it', () => {
  const names = createStatementNames('a')
  expect(names.of('select 1')).toBe(names.of('select 1'))
  expect(names.of('select 1')).not.toBe(names.of('select 2'))
})

test('what two give is never the same', () => {
  const names = ['a', 'b'].map((id) => createStatementNames(id).of('select 1'))
  expect(names[0]).not.toBe(names[1])
})

test('a name is no longer than the server keeps', () => {
  expect(createStatementNames(systemIds.newId()).of('select 1')?.length).toBeLessThan(50)
})

test('there is a bound, past which texts go without', () => {
  const names = createStatementNames('a')
  const given = Array.from({ length: 300 }, (_, index) => names.of(`select ${index}`))
  expect(given.filter((name) => name !== undefined)).toHaveLength(200)
  expect(names.of('select 0')).toBe(given[0])
})

test('a text has another name after a renewal, and none once names are given up', () => {
  const names = createStatementNames('a')
  const first = names.of('select 1')
  names.renew()
  expect(names.of('select 1')).not.toBe(first)
  names.giveUp()
  expect(names.of('select 1')).toBeUndefined()
})
