/** Attempts that others end: leases that lapse, and cancels. */

import { describe, expect, test } from 'vitest'

import { cancelled, completed, lost, parentEnded } from './events.test-support.ts'
import { failure, finished, lapsed, NOW, ready, running } from './rows.test-support.ts'
import { given } from './testing-dsl.test-support.ts'

const retried = { retryOptions: { maxAttempts: 2, baseDelayMs: 100 } }

describe('loss', () => {
  test('a lease that holds is not lost', () => {
    given(running()).when(lost()).thenRefused('not_lapsed')
  })

  test('a lease holds at the very instant of its deadline', () => {
    given(running({ expiresAt: new Date(NOW) }))
      .when(lost())
      .thenRefused('not_lapsed')
  })

  test('a row that runs without a deadline is not lost', () => {
    const { expiresAt: _, ...row } = running()
    given(row).when(lost()).thenRefused('not_lapsed')
  })

  test('a lapsed lease puts the row back at once, and says why', () => {
    const error = { errorType: 'generic', message: 'Task expired', isRetryable: false } as const
    given(lapsed({ retryAttempts: 1 }))
      .when(lost())
      .thenIs('x', { status: 'ready', losses: 1, retryAttempts: 1, startAt: new Date(NOW), error })
  })

  test('a second loss in a row waits a second', () => {
    given(lapsed({ losses: 1 }))
      .when(lost())
      .thenIs('x', { status: 'ready', losses: 2, startAt: new Date(NOW + 1_000) })
  })

  test('a task that was lost too often is given up', () => {
    const then = given(lapsed({ ...retried, losses: 2 })).when(lost({ maxLosses: 3 }))
    then.thenIs('x', { status: 'failed', losses: 3 })
    expect(then.row().error).toEqual(
      failure('Task lost 3 times: each time the process that ran it died or stalled'),
    )
  })

  test('with maxLosses 1 the first loss is the end', () => {
    given(lapsed())
      .when(lost({ maxLosses: 1 }))
      .thenIs('x', { status: 'failed', losses: 1 })
  })

  test('two that find the same lapsed lease count one loss', () => {
    const { decision } = given(lapsed()).when(lost(), lost())
    expect(decision.results).toEqual(['accepted', 'not_lapsed'])
  })
})

describe('cancel', () => {
  test('a row that waits to be run is cancelled, and nobody needs to be told', () => {
    const error = failure('Task cancelled', { errorType: 'cancelled' })
    given(ready())
      .when(cancelled())
      .thenIs('x', { status: 'cancelled', error, needsPromiseCancellation: false, isClosed: true })
  })

  test('a row that runs is cancelled, and whoever runs it is to be told', () => {
    given(running()).when(cancelled()).thenIs('x', { status: 'cancelled', needsPromiseCancellation: true })
  })

  test('the result of a cancelled run is refused', () => {
    given(finished('cancelled')).when(completed()).thenRefused('stale')
  })

  test('cancelling twice is refused the second time', () => {
    given(finished('cancelled')).when(cancelled()).thenRefused('finished')
  })

  test('an outcome and a cancel in one transaction: the first stands', () => {
    const first = given(running()).when(completed(), cancelled())
    expect([first.decision.results, first.row().status]).toEqual([['accepted', 'finished'], 'completed'])
    const second = given(running()).when(cancelled(), completed())
    expect([second.decision.results, second.row().status]).toEqual([['accepted', 'stale'], 'cancelled'])
  })

  test('what is cancelled by its parent says what happened to that', () => {
    const message = 'Parent task parent with execution id p failed: No luck'
    given(ready())
      .when(parentEnded({ of: 'x', message }))
      .thenIs('x', { status: 'cancelled', error: failure(message, { errorType: 'cancelled' }) })
  })
})
