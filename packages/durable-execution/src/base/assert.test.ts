/** A broken belief stops the work. */

import { expect, test } from 'vitest'

import { assert } from './assert.ts'

test.each([false, undefined, null])('%s breaks a belief', (belief) => {
  expect(() => assert(belief, 'rows are rows')).toThrow('This is a bug in durable-execution: rows are rows')
})

test.each([true, 0, '', {}])('%j does not', (belief) => {
  expect(() => assert(belief, 'rows are rows')).not.toThrow()
})
