/** The table of limits in the guide on tasks is the one of the engine. */

import { expect, test } from 'vitest'

import { LIMITS } from '../../src/base/limits.ts'
import { read } from './places.ts'

// Named already, and used by nothing yet.
const NOT_IN_USE = ['tags', 'nameLength']

test('the guide lists every limit that is in use, with its value', () => {
  const [, text = ''] = read('docs/tasks.md').text.split('\n## Limits\n')
  const listed = [...text.matchAll(/^\| `(\w+)` +\| +([\d,]+) +\|/gm)].map(([, name = '', value = '']) => [
    name,
    Number(value.replaceAll(',', '')),
  ])
  const limits = Object.entries(LIMITS).filter(([name]) => !NOT_IN_USE.includes(name))
  expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(limits))
})
