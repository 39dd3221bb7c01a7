/** An execution that is left while it waits: what came before that, what comes twice, and what its row says for how long. */

import { describe, expect, test } from 'vitest'

import {
  forChildren,
  forSignal,
  newPart,
  newSignal,
  newStep,
  part,
  record,
  resumed,
  signalled,
  suspended,
  untold,
  waitingFor,
  withParts,
} from './durable-dsl.test-support.ts'
import { type ExecutionRow } from './execution.ts'
import { cancelled, completed, failed, lost, released } from './events.test-support.ts'
import { failure, finished, lapsed, leaseNamed, NOW, ready, running } from './rows.test-support.ts'
import { given, type Then } from './testing-dsl.test-support.ts'

const retryable = failure('Try again', { isRetryable: true })

describe('what came before the run was left', () => {
  const isDue = (then: Then): boolean => then.row().startAt.getTime() <= NOW
  const closed = { isClosed: true }
  const twoParts = { waitsFor: [forChildren({ of: 2 })] }
  const left = (...stored: Array<ExecutionRow>): Then =>
    given(running(withParts(2)))
      .where({ stored })
      .when(suspended(twoParts))

  test('makes it due at once: the signal', () => {
    const then = given(running())
      .where({ stored: [record(newSignal())] })
      .when(suspended())
    then.thenIs('x', { status: 'ready', startAt: new Date(NOW), suspendedFor: [forSignal()] })
  })

  test('makes it due at once: one of two signals', () => {
    const waitsFor = [forSignal({ name: 'stop' }), forSignal()]
    expect(
      isDue(
        given(running())
          .where({ stored: [record(newSignal())] })
          .when(suspended({ waitsFor })),
      ),
    ).toBe(true)
  })

  test('is not the signal of another name, or of an earlier ordinal', () => {
    const stored = [record(newSignal('stop')), record(newSignal('go', 1))]
    const waitsFor = [forSignal({ ordinal: 2 })]
    expect(isDue(given(running()).where({ stored }).when(suspended({ waitsFor })))).toBe(false)
  })

  test('makes it due at once: the end of all children', () => {
    const then = left(part(1, finished('completed', closed)), part(2, finished('completed', closed)))
    then.thenIs('x', { startAt: new Date(NOW), suspendedFor: [forChildren({ of: 2, left: 0 })] })
  })

  test('is counted: the end of one child of two', () => {
    const then = left(part(1, finished('completed', closed)), part(2, running()))
    then.thenIs('x', { suspendedFor: [forChildren({ of: 2, left: 1 })] })
    expect(isDue(then)).toBe(false)
  })

  test.for(['failed', 'timed_out', 'cancelled', 'children_tasks_failed', 'finalize_task_failed'] as const)(
    'makes it due at once: a child that ended as %s',
    (status) => {
      const then = left(part(1, running()), part(2, finished(status, closed)))
      then.thenIs('x', { suspendedFor: [forChildren({ of: 2, left: 1 })] })
      expect(isDue(then)).toBe(true)
    },
  )

  test('is not the end of a child that is not closed: it will be told', () => {
    const then = left(part(1, finished('failed')), part(2, finished('completed')))
    then.thenIs('x', { suspendedFor: [forChildren({ of: 2, left: 2 })] })
    expect(isDue(then)).toBe(false)
  })

  test('is not the end of a child of another name', () => {
    const other = { ...part(1, finished('failed', closed)), executionId: 'x:other:1' }
    expect(isDue(left(other, part(1, running()), part(2, running())))).toBe(false)
  })

  test('is not a child that it starts as it is left', () => {
    const then = given(running()).when(
      suspended({ waitsFor: [forChildren({ of: 1 })], children: [newPart(1)] }),
    )
    expect([then.row().suspendedFor, isDue(then)]).toEqual([[forChildren({ of: 1, left: 1 })], false])
  })
})

describe('a suspension that comes twice', () => {
  test('is recognised', () => {
    given(waitingFor(forSignal()))
      .when(suspended({ mayExist: true }))
      .thenRefused('repeated')
  })

  test('is recognised where the storage does not keep what rows wait for', () => {
    given(untold(waitingFor(forSignal())))
      .when(suspended({ mayExist: true }))
      .thenRefused('repeated')
  })

  test.for<[string, ExecutionRow]>([
    ['a row that was lost is not taken for it', ready({ ...leaseNamed('first'), suspendedFor: [] })],
    ['nor one that was suspended by a later run', { ...waitingFor(forSignal()), ...leaseNamed('second') }],
    ['nor one that was claimed since', running({ lease: 'second', suspendedFor: [forSignal()] })],
    ['nor one that was cancelled since', finished('cancelled')],
  ])('%s', ([, row]) => {
    given(row)
      .when(suspended({ mayExist: true }))
      .thenRefused('stale')
  })

  test('in one transaction is written once', () => {
    const { decision } = given(running()).when(
      suspended({ records: [newStep()] }),
      suspended({ records: [newStep()] }),
    )
    expect([decision.results, decision.inserts.length]).toEqual([['accepted', 'repeated'], 1])
  })
})

describe('a row says what it waits for only while it may wait', () => {
  const before = resumed(forSignal())

  test('a claim leaves it in place, for what ends the run to clear', () => {
    given({ ...waitingFor(forSignal()), startAt: new Date(NOW) })
      .when({
        kind: 'claimed',
        executionId: 'x',
        leaseId: 'l',
        executorId: 'e',
        expiresAt: new Date(NOW + 1),
      })
      .thenIs('x', { status: 'running', suspendedFor: [forSignal()] })
  })

  test.for<[string, ExecutionRow, Parameters<ReturnType<typeof given>['when']>[0]]>([
    ['a result', before, completed()],
    ['an error', before, failed()],
    ['a retry', { ...before, retryOptions: { maxAttempts: 1 } }, failed({ error: retryable })],
    ['a release', before, released()],
    ['a loss', { ...before, expiresAt: new Date(NOW - 1) }, lost()],
    ['the last loss', { ...before, expiresAt: new Date(NOW - 1) }, lost({ maxLosses: 1 })],
    ['a cancel', before, cancelled()],
    ['a cancel while it waits', waitingFor(forSignal()), cancelled()],
  ])('%s clears it', ([, row, event]) => {
    given(row).when(event).thenIs('x', { suspendedFor: [] })
  })

  test.for<[string, ExecutionRow, Parameters<ReturnType<typeof given>['when']>[0]]>([
    ['a retry', running({ retryOptions: { maxAttempts: 1 } }), failed({ error: retryable })],
    ['a release', running(), released()],
    ['a loss', lapsed(), lost()],
  ])('%s says that it waits for nothing, even where it never did', ([, row, event]) => {
    given(row).when(event).thenIs('x', { status: 'ready', suspendedFor: [] })
  })

  test('an end says nothing of it where there is nothing to clear', () => {
    const { decision } = given(running()).when(completed())
    expect(decision.updates.get('x')).not.toHaveProperty('suspendedFor')
  })

  test('a row that was released is not due when a signal comes that it waited for before', () => {
    const row = given(before).when(released()).row()
    given({ ...row, ...leaseNamed('first'), startAt: new Date(NOW + 5) })
      .when(signalled())
      .thenIs('x', { startAt: new Date(NOW + 5) })
  })
})
