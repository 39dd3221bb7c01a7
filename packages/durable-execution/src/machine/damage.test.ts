/** Rows that nobody wrote, as a damaged storage gives them, are found out before a rule goes by them. */

import { describe, expect, test } from 'vitest'

import { DurableExecutionError } from '../base/errors.ts'
import { type ExecutionRow } from './execution.ts'
import { assertKnownStatus, damagedField } from './damage.ts'
import { claimed, failed } from './events.test-support.ts'
import { failure, ready, running } from './rows.test-support.ts'
import { given } from './testing-dsl.test-support.ts'

const odd = ready({ status: 'odd' as ExecutionRow['status'] })

function thrownBy(deed: () => unknown): unknown {
  try {
    deed()
  } catch (error) {
    return error
  }
  return undefined
}

describe('an unknown status', () => {
  test('is named, and trying again does not help', () => {
    const error = thrownBy(() => assertKnownStatus(odd))
    expect(error).toBeInstanceOf(DurableExecutionError)
    expect(error).toMatchObject({
      message: 'Execution x has the unknown status odd: its row is damaged',
      isRetryable: false,
    })
  })

  test('is met by no rule', () => {
    expect(() => given(odd).when(claimed())).toThrow('unknown status odd')
  })
})

test('an error of an unknown type leads nowhere', () => {
  const error = failure('No luck', { errorType: 'odd' as 'generic' })
  expect(() => given(running()).when(failed({ error }))).toThrow('failed led from running to running')
})

describe('a row that is to be run', () => {
  test('is sound with the least that the engine writes', () => {
    const least = { retryOptions: { maxAttempts: 0 }, retryAttempts: 0, timeoutMs: 1, runInput: '' }
    expect(damagedField(ready(least))).toBe(undefined)
  })

  test.for<[keyof ExecutionRow, string, object]>([
    ['retryOptions', 'less than none', { retryOptions: { maxAttempts: -1 } }],
    ['retryOptions', 'no number', { retryOptions: { maxAttempts: NaN } }],
    ['retryOptions', 'nothing', { retryOptions: {} }],
    ['retryAttempts', 'less than none', { retryAttempts: -1 }],
    ['retryAttempts', 'no number', { retryAttempts: NaN }],
    ['timeoutMs', 'none at all', { timeoutMs: 0 }],
    ['timeoutMs', 'no number', { timeoutMs: NaN }],
    ['runInput', 'nothing', { runInput: undefined }],
    ['runInput', 'no text', { runInput: 1 }],
  ])('has a damaged %s when it is %s', ([field, , changes]) => {
    expect(damagedField(ready(changes))).toBe(field)
  })
})
