/** Deadlines and durable code: when a suspended execution is due, and what undoes one that has ended. */

import { describe, expect, test } from 'vitest'

import { LIMITS } from '../base/limits.ts'
import { forChildren, forSignal, forSleep, newPart, recorded, suspended } from './durable-dsl.test-support.ts'
import { type DurableSuspensionStorageObject } from './execution.ts'
import { compensationId } from './records.ts'
import { closed, failed, newChild } from './events.test-support.ts'
import { finished, NOW, running } from './rows.test-support.ts'
import { given } from './testing-dsl.test-support.ts'

const inMs = (ms: number): { deadlineAt: Date } => ({ deadlineAt: new Date(NOW + ms) })

describe('a run that is left before its deadline', () => {
  test.for<[string, Array<DurableSuspensionStorageObject>, number, number]>([
    ['at its deadline, if it waits without end', [forSignal()], 5_000, 5_000],
    ['at its deadline, if it sleeps beyond that', [forSleep(NOW + 9_000)], 5_000, 5_000],
    ['at its deadline, if it waits for children', [forChildren({ of: 2 })], 5_000, 5_000],
    ['when its sleep is over, if that is before', [forSleep(NOW + 3_000)], 5_000, 3_000],
    ['when its wait is over, if that is before', [forSignal({ until: NOW + 4_000 })], 5_000, 4_000],
    ['at once, if its deadline has passed', [forSignal()], -5_000, 0],
  ])('is due %s', ([, waitsFor, deadlineMs, dueMs]) => {
    given(running(inMs(deadlineMs)))
      .when(suspended({ waitsFor }))
      .thenIs('x', { status: 'ready', startAt: new Date(NOW + dueMs), ...inMs(deadlineMs) })
  })

  test('is due in a hundred years if it has none', () => {
    given(running())
      .when(suspended())
      .thenIs('x', { startAt: new Date(NOW + LIMITS.delayMs) })
  })
})

describe('a child that code starts', () => {
  test.for<[string, number | undefined, number]>([
    ['its own deadline, if that is earlier', 3_000, 3_000],
    ['that of its parent, if its own is later', 9_000, 5_000],
    ['that of its parent, if it has none', undefined, 5_000],
  ])('has %s', ([, ownMs, ms]) => {
    const child = { ...newPart(1), ...(ownMs === undefined ? {} : { deadlineMs: ownMs }) }
    const { decision } = given(running(inMs(5_000))).when(recorded({ children: [child] }))
    expect(decision.inserts).toMatchObject([inMs(ms)])
  })

  test.for<[string, number | undefined, number]>([
    ['its own priority', -1, -1],
    ['that of its parent, if it has none', undefined, 7],
  ])('has %s', ([, own, priority]) => {
    const child = { ...newPart(1), ...(own === undefined ? {} : { priority: own }) }
    const { decision } = given(running({ priority: 7 })).when(recorded({ children: [child] }))
    expect(decision.inserts).toMatchObject([{ priority }])
  })
})

describe('what undoes an execution', () => {
  const compensation = { ...newChild(0), executionId: compensationId('x'), taskId: 'task' }

  test.for(['failed', 'timed_out', 'cancelled', 'finalize_task_failed', 'children_tasks_failed'] as const)(
    'appears when that is closed as %s, and has its priority but not its deadline',
    (status) => {
      const { decision } = given(finished(status, { ...inMs(-1), priority: 3 })).when(
        closed({ compensation }),
      )
      expect(decision.inserts).toMatchObject([
        {
          executionId: 'x!compensation',
          status: 'ready',
          parentTask: { taskId: 'task', executionId: 'x' },
          priority: 3,
        },
      ])
      expect(decision.inserts[0]).not.toHaveProperty('deadlineAt')
    },
  )

  test('does not appear for one that ended well', () => {
    const { decision } = given(finished('completed')).when(closed({ compensation }))
    expect(decision.inserts).toEqual([])
  })

  test('does not appear before all below is closed, nor twice', () => {
    given(finished('failed'))
      .when(closed({ compensation, isBelowClosed: false }))
      .thenRefused('below_open')
    given(finished('failed', { isClosed: true }))
      .when(closed({ compensation }))
      .thenRefused('closed')
  })

  test('fails by itself, whatever its deadline would have been', () => {
    const undoing = running({
      executionId: compensation.executionId,
      parentTask: { taskId: 'task', executionId: 'x' },
      retryOptions: { maxAttempts: 1, baseDelayMs: 60_000 },
    })
    given(finished('timed_out', { ...inMs(-1), isClosed: true }), undoing)
      .when(
        failed({
          of: compensation.executionId,
          error: { errorType: 'generic', message: 'No', isRetryable: true },
        }),
      )
      .thenIs(compensation.executionId, { status: 'ready', startAt: new Date(NOW + 60_000) })
  })
})
