/** Deadlines: what they do to attempts, to what waits, and to what is below. */

import { describe, expect, test } from 'vitest'

import { LIMITS } from '../base/limits.ts'
import { deadlineExceeded, deadlineOf } from './deadline.ts'
import { type NewChild, type OutsideEvent } from './event.ts'
import { type ExecutionRow } from './execution.ts'
import { mayHaveOpenBelow } from './parent.ts'
import { completed, failed, fannedOut, lost, newChild } from './events.test-support.ts'
import {
  child,
  failure,
  finalize,
  finished,
  lapsed,
  leaseNamed,
  NOW,
  ready,
  running,
  waiting,
  waitingForFinalize,
} from './rows.test-support.ts'
import { given } from './testing-dsl.test-support.ts'

const inMs = (ms: number): { deadlineAt: Date } => ({ deadlineAt: new Date(NOW + ms) })
const retried = { retryOptions: { maxAttempts: 2, baseDelayMs: 100 } }
const retryable = failure('Try again', { isRetryable: true })
const exceeded = (message: string): ReturnType<typeof failure> => failure(message, { errorType: 'timed_out' })

describe('an attempt', () => {
  test('that fails is retried if the retry begins before the deadline', () => {
    given(running({ ...retried, ...inMs(101) }))
      .when(failed({ error: retryable }))
      .thenIs('x', { status: 'ready', startAt: new Date(NOW + 100), error: retryable })
  })

  test.for([100, 1, 0, -5_000])('whose retry would begin then or later is the last: %i ms', (ms) => {
    given(running({ ...retried, ...inMs(ms), losses: 1 }))
      .when(failed({ error: retryable }))
      .thenIs('x', {
        status: 'timed_out',
        retryAttempts: 0,
        losses: 0,
        finishedAt: new Date(NOW),
        error: exceeded('Task deadline exceeded; the last attempt ended with: Try again'),
      })
  })

  test.for([failure('No'), retryable])('that may not be retried ends with its own error', (error) => {
    given(running(inMs(-1)))
      .when(failed({ error }))
      .thenIs('x', { status: 'failed', error })
  })

  test('that ended well has ended well, whenever that is written', () => {
    given(running(inMs(-1)))
      .when(completed())
      .thenIs('x', { status: 'completed' })
  })

  test('that is lost is due at the deadline at the latest', () => {
    const startAfterMs = (row: ExecutionRow): number => {
      const then = given(row).when(lost({ maxLosses: 9 }))
      return then.row().startAt.getTime() - NOW
    }
    expect(startAfterMs(lapsed({ losses: 3, ...inMs(1_000) }))).toBe(1_000)
    expect(startAfterMs(lapsed({ losses: 3, ...inMs(9_000) }))).toBe(4_000)
    expect(startAfterMs(lapsed({ losses: 3, ...inMs(-1_000) }))).toBe(0)
  })

  test('whose end was written already as that of the deadline is recognised', () => {
    const error = deadlineExceeded(retryable.message)
    given(finished('timed_out', { error }))
      .when(failed({ error: retryable }))
      .thenRefused('repeated')
    given(finished('timed_out', { error }))
      .when(failed({ error: failure('Another') }))
      .thenRefused('stale')
  })

  test('that fanned out is recognised though its parent has timed out since', () => {
    given(finished('timed_out', { executionId: 'p', childrenTasksCount: 2 }))
      .when(fannedOut())
      .thenRefused('repeated')
    given(finished('timed_out', { executionId: 'p' }))
      .when(fannedOut())
      .thenRefused('stale')
  })

  test('a long message is cut', () => {
    const { message } = deadlineExceeded('x'.repeat(LIMITS.errorMessageLength))
    expect(message).toHaveLength(LIMITS.errorMessageLength)
  })
})

describe('below a row with a deadline', () => {
  const childrenOf = (parent: Partial<ExecutionRow>, ...children: Array<NewChild>): Array<ExecutionRow> =>
    given(running({ executionId: 'p', taskId: 'parent', ...parent })).when(fannedOut({ children })).decision
      .inserts

  test('children have an end of their own only where it is earlier', () => {
    const [plain, sooner, later] = childrenOf(
      inMs(5_000),
      newChild(0),
      { ...newChild(1), deadlineMs: 4_000 },
      { ...newChild(2), deadlineMs: 6_000 },
    )
    expect([plain?.deadlineAt, sooner?.deadlineAt, later?.deadlineAt]).toEqual(
      [5_000, 4_000, 5_000].map((ms) => new Date(NOW + ms)),
    )
  })

  test('what would begin later is due at the deadline', () => {
    const sleeping = { ...newChild(0), sleepMsBeforeRun: 9_000 }
    const waitingForDay = { ...newChild(1), startAt: NOW + 9_000 }
    const starts = childrenOf(inMs(5_000), sleeping, waitingForDay).map(({ startAt }) => startAt)
    expect(starts).toEqual([new Date(NOW + 5_000), new Date(NOW + 5_000)])
  })

  test('what comes after the deadline is due at once', () => {
    const [late] = childrenOf(inMs(-5_000), newChild(0))
    expect(late).toMatchObject({ startAt: new Date(NOW), ...inMs(-5_000) })
  })

  test('the finalize execution has the same', () => {
    const { decision } = given(
      waiting({ of: 1, ...inMs(5_000) }),
      child(0, running({ ...inMs(5_000) })),
    ).when(completed({ of: 'c0' }))
    expect(decision.inserts).toMatchObject([{ executionId: 'f', ...inMs(5_000) }])
  })

  test('without a deadline there is none, unless the child has one', () => {
    const [plain, own] = childrenOf({}, newChild(0), { ...newChild(1), deadlineMs: 10 })
    expect(plain).not.toHaveProperty('deadlineAt')
    expect(own).toMatchObject(inMs(10))
  })
})

describe('a parent that waits past its deadline', () => {
  const stopped: OutsideEvent = failed({ of: 'c0', error: deadlineExceeded() })
  const two = (ms: number): [ExecutionRow, ExecutionRow, ExecutionRow] => [
    waiting({ of: 2, ...inMs(ms) }),
    child(0, running(inMs(ms))),
    child(1, ready(inMs(ms))),
  ]

  test('times out with the first child that does', () => {
    const then = given(...two(0)).when(stopped)
    then.thenIs('p', {
      status: 'timed_out',
      isClosed: false,
      finishedAt: new Date(NOW),
      error: exceeded('Task deadline exceeded while it waited for child task with id c0'),
    })
    expect(then.row('p').childrenTasksErrors).toBeUndefined()
    expect(mayHaveOpenBelow(then.row('p'))).toBe(true)
  })

  test('says how the child ended, if that was something else', () => {
    given(...two(0))
      .when(failed({ of: 'c0' }))
      .thenIs('p', {
        status: 'timed_out',
        error: exceeded(
          'Task deadline exceeded while it waited for child task with id c0, which ended with: No luck',
        ),
      })
  })

  test('counts by the clock of the one that stopped the child, too', () => {
    const other = child(0, finished('timed_out', { ...inMs(1), finishedAt: new Date(NOW + 1) }))
    given(waiting({ of: 1, ...inMs(1) }), other)
      .when({ kind: 'closed', executionId: 'c0', isBelowClosed: true })
      .thenIs('p', { status: 'timed_out' })
  })

  test('has not timed out if the child ended before', () => {
    given(...two(1))
      .when(stopped)
      .thenIs('p', { status: 'children_tasks_failed' })
  })

  test('goes on if its last child ended well, and what comes last times out', () => {
    const then = given(waiting({ of: 1, ...inMs(-1) }), child(0, running(inMs(-1)))).when(
      completed({ of: 'c0' }),
    )
    then.thenIs('p', { status: 'waiting_for_finalize_task' })
    expect(then.decision.inserts).toMatchObject([{ startAt: new Date(NOW), ...inMs(-1) }])
  })

  test('times out with its finalize execution', () => {
    const then = given(waitingForFinalize(inMs(0)), finalize(running(inMs(0)))).when(
      failed({ of: 'f', error: deadlineExceeded() }),
    )
    then.thenIs('p', {
      status: 'timed_out',
      error: exceeded('Task deadline exceeded while it waited for finalize task with id f'),
    })
    expect(then.row('p').finalizeTaskError).toBeUndefined()
  })

  test('has timed out only once: children that follow change nothing', () => {
    const parent = waiting({ of: 2, ...inMs(-1), status: 'timed_out', finishedAt: new Date(NOW - 1) })
    const then = given(parent, child(1, running(inMs(-1)))).when(failed({ of: 'c1' }))
    expect(then.row('p')).toEqual(parent)
    expect(then.row('c1').isClosed).toBe(true)
  })
})

test('a row that has nothing below it and timed out can be closed at once', () => {
  given(running(inMs(0)))
    .when(failed({ error: deadlineExceeded() }))
    .thenIs('x', { status: 'timed_out', isClosed: true })
})

test('a deadline that is no moment is none', () => {
  expect(deadlineOf({ deadlineAt: new Date(NaN) })).toBe(Infinity)
  given(running({ ...retried, ...leaseNamed('first'), deadlineAt: new Date(NaN) }))
    .when(failed({ error: retryable }))
    .thenIs('x', { status: 'ready' })
})
