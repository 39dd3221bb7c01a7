/** Who comes first, and what a row keeps. */

import { expect, test } from 'vitest'

import { type ExecutionRow } from './execution.ts'
import { highestFirst, setPriority } from './priority.ts'
import { ready } from './rows.test-support.ts'

test.each([
  [undefined, false],
  [0, false],
  [-0, false],
  [1, true],
  [-7, true],
])('a priority of %s is written: %s', (priority, isWritten) => {
  const row: ExecutionRow = ready()
  setPriority(row, priority)
  expect(row.priority).toBe(isWritten ? priority : undefined)
  expect('priority' in row).toBe(isWritten)
})

test('the highest comes first, no priority is 0, and equals stay in their order', () => {
  const rows = [{ id: 'a' }, { id: 'b', priority: -1 }, { id: 'c', priority: 2 }, { id: 'd', priority: 0 }]
  const [, , , d] = rows
  expect(
    highestFirst([...rows, { id: 'e', priority: 2 }])
      .map(({ id }) => id)
      .join(''),
  ).toBe('ceadb')
  expect(
    highestFirst(rows.toReversed())
      .map(({ id }) => id)
      .join(''),
  ).toBe('cdab')
  expect(d).toBe(rows[3])
})

test('rows without priorities are given as they are', () => {
  const rows = [{}, {}]
  expect(highestFirst(rows)).toBe(rows)
})
