/** How attempts end: outcomes, retries, and events that come twice. */

import { describe, expect, test } from 'vitest'

import { LIMITS } from '../base/limits.ts'
import { type OutsideEvent } from './event.ts'
import { type ExecutionRow } from './execution.ts'
import { completed, failed, fannedOut, released } from './events.test-support.ts'
import {
  failure,
  finished,
  leaseNamed,
  NOW,
  ready,
  running,
  waiting,
  waitingForFinalize,
} from './rows.test-support.ts'
import { given } from './testing-dsl.test-support.ts'

const retried = { retryOptions: { maxAttempts: 2, baseDelayMs: 100, delayMultiplier: 3 } }
const retryable = failure('Try again', { isRetryable: true })

describe('outcome', () => {
  test('a run that returned completes its row, and clears the error and the losses', () => {
    const then = given(running({ error: retryable, losses: 2 })).when(completed({ output: '42' }))
    then.thenIs('x', { status: 'completed', output: '42', runOutput: '42', losses: 0, isClosed: true })
    expect(then.row().error).toBeUndefined()
    expect(then.row().expiresAt).toBeUndefined()
  })

  test('a retryable error puts the row back for later and counts a retry', () => {
    given(running({ ...retried, retryAttempts: 1 }))
      .when(failed({ error: retryable }))
      .thenIs('x', { status: 'ready', retryAttempts: 2, startAt: new Date(NOW + 300), error: retryable })
  })

  test('a retried attempt resets the losses', () => {
    given(running({ ...retried, losses: 2 }))
      .when(failed({ error: retryable }))
      .thenIs('x', { status: 'ready', losses: 0 })
  })

  test('with no retries left a retryable error is the end', () => {
    given(running({ ...retried, retryAttempts: 2 }))
      .when(failed({ error: retryable }))
      .thenIs('x', { status: 'failed', error: retryable, finishedAt: new Date(NOW) })
  })

  test('an error that is not retryable is the end, whatever is left', () => {
    given(running(retried)).when(failed()).thenIs('x', { status: 'failed', retryAttempts: 0 })
  })

  test.for([
    ['generic', 'failed'],
    ['timed_out', 'timed_out'],
    ['cancelled', 'cancelled'],
  ] as const)('an error of type %s ends as %s', ([errorType, status]) => {
    given(running())
      .when(failed({ error: failure('No luck', { errorType }) }))
      .thenIs('x', { status })
  })

  test('a run that ends itself as cancelled needs not be told so', () => {
    given(running())
      .when(failed({ error: failure('I give up', { errorType: 'cancelled' }) }))
      .thenIs('x', { needsPromiseCancellation: false })
  })

  test('a long message is cut', () => {
    const then = given(running()).when(failed({ error: failure('x'.repeat(20_000)) }))
    expect(then.row().error?.message).toHaveLength(LIMITS.errorMessageLength)
  })

  test('a released row can be claimed at once, its retries and losses as they were', () => {
    given(running({ retryAttempts: 1, losses: 1 }))
      .when(released())
      .thenIs('x', { status: 'ready', retryAttempts: 1, losses: 1 })
  })
})

describe('repeated', () => {
  test('a success that is written already is recognised', () => {
    given(finished('completed')).when(completed()).thenRefused('repeated')
  })

  test('an error that ended the row already is recognised', () => {
    given(finished('failed')).when(failed()).thenRefused('repeated')
  })

  test('an error that put the row back already is recognised', () => {
    given(ready({ ...leaseNamed('first'), error: failure('No luck') }))
      .when(failed())
      .thenRefused('repeated')
  })

  test('a release that is written already is recognised', () => {
    given(ready(leaseNamed('first')))
      .when(released())
      .thenRefused('repeated')
  })

  test('a lost row is not taken for a released one', () => {
    given(ready({ ...leaseNamed('first'), error: failure('Task expired') }))
      .when(released())
      .thenRefused('stale')
  })

  test('the same outcome from another lease is not a repetition', () => {
    given(finished('completed'))
      .when(completed({ lease: 'second' }))
      .thenRefused('stale')
  })

  test.for([
    finished('completed', { executionId: 'p' }),
    finished('children_tasks_failed', { executionId: 'p' }),
    waiting({ of: 1 }),
    waitingForFinalize(),
    waitingForFinalize({ status: 'finalize_task_failed' }),
  ])('a fan-out that led on to $status already is recognised', (row) => {
    given(row).when(fannedOut()).thenRefused('repeated')
  })

  test('a cancelled run did not fan out', () => {
    given(finished('cancelled', { executionId: 'p' }))
      .when(fannedOut())
      .thenRefused('stale')
  })

  test.for<[string, ExecutionRow, OutsideEvent]>([
    ['a fan-out is not taken for a success', waiting({ of: 1 }), completed({ of: 'p' })],
    ['a release is not taken for an error', ready(leaseNamed('first')), failed()],
    ['an outcome is not taken for a release', finished('completed'), released()],
    [
      'another error of the same lease is not taken for it',
      finished('failed', { error: failure('Other') }),
      failed(),
    ],
    [
      'an error of another type is not taken for it',
      finished('timed_out', { error: failure('No luck', { errorType: 'timed_out' }) }),
      failed(),
    ],
    [
      'a row that waits for others is not taken for one that an error ended',
      waiting({ of: 1, error: failure('No luck') }),
      failed({ of: 'p' }),
    ],
  ])('%s', ([, row, event]) => {
    given(row).when(event).thenRefused('stale')
  })

  test('one outcome twice in one transaction is written once', () => {
    const { decision } = given(running()).when(completed(), completed())
    expect(decision.results).toEqual(['accepted', 'repeated'])
  })
})
