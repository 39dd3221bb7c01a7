import { expect, test } from 'vitest'

import { LIMITS } from '../base/limits.ts'
import { isSuspect } from './apart.ts'

test('an execution is a suspect once it was lost twice in a row', () => {
  expect([undefined, 0, 1, 2, 3].map((losses) => isSuspect(losses === undefined ? {} : { losses }))).toEqual([
    false,
    false,
    false,
    true,
    true,
  ])
})

test('it is one before it is given up, unless fewer losses than by default are allowed', () => {
  expect(LIMITS.lossesUntilApart).toBeLessThan(LIMITS.losses)
})
