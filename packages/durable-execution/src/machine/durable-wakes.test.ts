/** What wakes an execution that waits: signals, and the ends of children. */

import { describe, expect, test } from 'vitest'

import {
  forChildren,
  forSignal,
  forSleep,
  newPart,
  part,
  recorded,
  resumed,
  signalled,
  suspended,
  untold,
  waitingFor,
  withParts,
} from './durable-dsl.test-support.ts'
import { type DurableSuspensionStorageObject, type ExecutionRow } from './execution.ts'
import { cancelled, closed, completed, failed, lost, parentEnded } from './events.test-support.ts'
import { failure, finished, lapsed, NOW, ready, running, waiting } from './rows.test-support.ts'
import { given, type Then } from './testing-dsl.test-support.ts'

const isDue = (then: Then): boolean => then.row().startAt.getTime() <= NOW
const retryable = failure('Try again', { isRetryable: true })
const inBackoff = given(running({ retryOptions: { maxAttempts: 1, baseDelayMs: 1_000 } }))
  .when(failed({ error: retryable }))
  .row()

describe('a signal', () => {
  test('is kept, and wakes whoever waits for it', () => {
    const then = given(waitingFor(forSignal())).when(signalled())
    then.thenIs('x', { status: 'ready', startAt: new Date(NOW), suspendedFor: [forSignal()] })
    expect(then.decision.inserts).toMatchObject([
      {
        executionId: 'x!signal:go:1',
        runInput: '#signal',
        output: 'payload',
        status: 'completed',
        isClosed: true,
      },
    ])
  })

  test('that comes after the awaited one wakes too: that one is there, and was not taken yet', () => {
    expect(isDue(given(waitingFor(forSignal({ ordinal: 1 }))).when(signalled({ ordinal: 2 })))).toBe(true)
  })

  test('does not put off what is due already', () => {
    const startAt = new Date(NOW - 5)
    given({ ...waitingFor(forSignal()), startAt })
      .when(signalled())
      .thenIs('x', { startAt })
  })

  test('wakes whoever waits for several things', () => {
    const row = waitingFor(forSleep(NOW + 9_000), forChildren({ of: 1 }), forSignal())
    expect(isDue(given(row).when(signalled()))).toBe(true)
  })

  test.for<[string, Array<DurableSuspensionStorageObject>]>([
    ['another signal', [forSignal({ name: 'stop' })]],
    ['the signal after it', [forSignal({ ordinal: 2 })]],
    ['a sleep', [forSleep(NOW + 9_000)]],
    ['a step of that name', [{ kind: 'step', name: 'go', until: NOW + 9_000 }]],
    ['children of that name', [{ kind: 'children', name: 'go', from: 1, to: 1, left: 1 }]],
  ])('does not wake one that waits for %s', ([, waitsFor]) => {
    const row = waitingFor(...waitsFor)
    const then = given(row).when(signalled())
    then.thenIs('x', { startAt: row.startAt })
    expect(then.decision.inserts).toHaveLength(1)
  })

  test.for<[string, ExecutionRow]>([
    ['that was never run', ready({ startAt: new Date(NOW + 9_000) })],
    ['that runs', running()],
    ['that runs, and waited for it before', resumed(forSignal())],
    ['that waits for returned children', { ...waiting({ of: 1 }), executionId: 'x' }],
    ['that is put off for a retry', inBackoff],
    ['that was lost', given(lapsed()).when(lost()).row()],
  ])('changes nothing of an execution %s but the moment', ([, row]) => {
    const then = given(row).when(signalled())
    then.thenIs('x', { ...row, updatedAt: new Date(NOW) })
    expect(then.decision.inserts).toHaveLength(1)
  })

  test('to a finished execution is refused, and not kept', () => {
    given(finished('completed')).when(signalled()).thenRefused('finished')
  })
})

describe('where the storage does not keep what rows wait for', () => {
  test('a signal wakes whatever was run before', () => {
    expect(isDue(given(untold(waitingFor(forSleep(NOW + 9_000)))).when(signalled()))).toBe(true)
  })

  test('that may be a retry', () => {
    expect(isDue(given(untold(inBackoff)).when(signalled()))).toBe(true)
  })

  test('but nothing that was never run', () => {
    expect(isDue(given(untold(ready({ startAt: new Date(NOW + 9_000) }))).when(signalled()))).toBe(false)
  })

  test('a storage that keeps leases need not keep that', () => {
    const { suspendedFor: _, ...row } = waitingFor(forSignal())
    expect(isDue(given(row).when(signalled()))).toBe(true)
  })

  test('each end of a child wakes it', () => {
    const row = untold(waitingFor(forChildren({ of: 2 })))
    const then = given(row, part(1, running()), part(2, running())).when(completed({ of: 'x:part:1' }))
    expect([isDue(then), then.row().suspendedFor]).toEqual([true, undefined])
  })
})

describe('a child that code awaits', () => {
  const two = waitingFor(forChildren({ of: 2 }))
  const parts = [part(1, running()), part(2, running())]

  test('that ends well is counted down, and leaves its parent waiting for the other', () => {
    const then = given(two, ...parts).when(completed({ of: 'x:part:1' }))
    then.thenIs('x', { startAt: two.startAt, suspendedFor: [forChildren({ of: 2, left: 1 })] })
    expect(then.row('x:part:1')).toMatchObject({ status: 'completed', isClosed: true })
  })

  test('that is the last wakes its parent', () => {
    const row = waitingFor(forChildren({ of: 2, left: 1 }))
    given(row, ...parts)
      .when(completed({ of: 'x:part:2' }))
      .thenIs('x', { startAt: new Date(NOW), suspendedFor: [forChildren({ of: 2, left: 0 })] })
  })

  test('and the other, ending in one transaction, wake it together', () => {
    given(two, ...parts)
      .when(completed({ of: 'x:part:1' }), completed({ of: 'x:part:2' }))
      .thenIs('x', { startAt: new Date(NOW), suspendedFor: [forChildren({ of: 2, left: 0 })] })
  })

  test('that fails wakes its parent at once', () => {
    given(two, ...parts)
      .when(failed({ of: 'x:part:2' }))
      .thenIs('x', { startAt: new Date(NOW), suspendedFor: [forChildren({ of: 2, left: 1 })] })
  })

  test('that a user cancels does, too', () => {
    expect(isDue(given(two, ...parts).when(cancelled({ of: 'x:part:2' })))).toBe(true)
  })

  test('is counted for those that wait for it, and for no others', () => {
    const others = [
      { kind: 'children', name: 'other', from: 1, to: 2, left: 2 },
      { kind: 'children', name: 'part', from: 3, to: 4, left: 2 },
    ] as const
    given(waitingFor(forChildren({ of: 2 }), ...others), ...parts)
      .when(completed({ of: 'x:part:1' }))
      .thenIs('x', { suspendedFor: [forChildren({ of: 2, left: 1 }), ...others] })
  })

  test('that nobody waits for any more changes nothing of its parent', () => {
    const row = waitingFor(forSignal())
    const then = given(row, part(1, running())).when(failed({ of: 'x:part:1' }))
    expect(then.decision.updates.has('x')).toBe(false)
    expect(then.row('x:part:1').isClosed).toBe(true)
  })

  test.for<[string, ExecutionRow]>([
    ['that runs', running(withParts(1))],
    ['that runs, and waited for it before', { ...resumed(forChildren({ of: 1 })), ...withParts(1) }],
    ['that is put off for a retry', { ...inBackoff, ...withParts(1) }],
    ['that has returned children', waiting({ of: 1, executionId: 'x', taskId: 'task' })],
    ['that has finished', finished('completed', withParts(1))],
    ['that was cancelled', finished('cancelled', withParts(1))],
  ])('is closed, and changes nothing of a parent %s', ([, row]) => {
    const then = given(row, part(1, running())).when(failed({ of: 'x:part:1' }))
    expect(then.decision.updates.has('x')).toBe(false)
    expect(then.row('x:part:1')).toMatchObject({ status: 'failed', isClosed: true })
  })

  test('is told to a parent whose task is not known here', () => {
    const then = given(two, ...parts)
      .where({ plan: undefined })
      .when(failed({ of: 'x:part:1' }))
    expect([isDue(then), then.row('x:part:1').isClosed]).toEqual([true, true])
  })

  test('is left open where its parent is not locked', () => {
    given(part(1, running()))
      .when(completed({ of: 'x:part:1' }))
      .thenIs('x:part:1', { status: 'completed', isClosed: false })
  })

  test('that is closed later is counted then, and once', () => {
    const then = given(two, part(1, finished('completed'))).when(
      closed({ of: 'x:part:1' }),
      closed({ of: 'x:part:1' }),
    )
    expect(then.decision.results).toEqual(['accepted', 'closed'])
    expect(then.row().suspendedFor).toEqual([forChildren({ of: 2, left: 1 })])
  })

  test('that its parent cancelled tells it nothing', () => {
    const message = 'Parent task task with execution id x failed: No luck'
    const then = given(two, ...parts).when(parentEnded({ of: 'x:part:1', message }))
    expect(then.decision.updates.has('x')).toBe(false)
    expect(then.row('x:part:1').isClosed).toBe(true)
  })

  test('is not counted as one that was returned', () => {
    const then = given(two, ...parts).when(completed({ of: 'x:part:1' }), completed({ of: 'x:part:2' }))
    expect(then.row()).toMatchObject({ status: 'ready', childrenTasksCompletedCount: 0 })
  })
})

describe('a child and its parent in one transaction', () => {
  const left = suspended({ waitsFor: [forChildren({ of: 1 })] })
  const ended = completed({ of: 'x:part:1' })
  const rows = [running(withParts(1)), part(1, running())]

  test.for([
    ['first the child ends', [ended, left]],
    ['first the parent is left', [left, ended]],
  ] as const)('the parent is woken: %s', ([, events]) => {
    given(...rows)
      .when(...events)
      .thenIs('x', {
        status: 'ready',
        startAt: new Date(NOW),
        suspendedFor: [forChildren({ of: 1, left: 0 })],
      })
  })

  test('a parent that starts a child, and is left for it, waits', () => {
    const then = given(running()).when(
      recorded({ children: [newPart(1)] }),
      suspended({ waitsFor: [forChildren({ of: 1 })] }),
    )
    expect([then.row().status, isDue(then), then.decision.inserts.length]).toEqual(['ready', false, 1])
  })
})
