/** Parents that go on though children of theirs end badly. */

import { describe, expect, test } from 'vitest'

import { type DurableChildTaskExecutionErrorStorageObject, type ExecutionRow } from './execution.ts'
import { failedCount, failureOf } from './failed-children.ts'
import { closed, completed, failed } from './events.test-support.ts'
import { child, failure, finished, running, waiting } from './rows.test-support.ts'
import { given, planWithoutFinalize, tolerating } from './testing-dsl.test-support.ts'

const settling = { plan: tolerating(Infinity) }
const badly = (fields: Partial<ExecutionRow> = {}): ExecutionRow =>
  finished('failed', { isClosed: true, ...fields })
const done = (output: string): ExecutionRow => finished('completed', { output, isClosed: true })

/** Errors of the last so many of the children. */
const errors = (count: number, of: number): Array<DurableChildTaskExecutionErrorStorageObject> =>
  Array.from({ length: count }, (_, at) => ({
    index: of - count + at,
    taskId: 'child',
    executionId: `c${of - count + at}`,
    error: failure('Earlier'),
  }))

describe('a child that may end badly', () => {
  test('is counted and named, and its parent goes on waiting', () => {
    given(waiting({ of: 3 }), child(2, running()))
      .where(settling)
      .when(failed({ of: 'c2' }))
      .thenIs('p', {
        status: 'waiting_for_children_tasks',
        childrenTasksCompletedCount: 0,
        childrenTasksFailedCount: 1,
        childrenTasksErrors: [{ index: 2, taskId: 'child', executionId: 'c2', error: failure('No luck') }],
      })
  })

  test('moves its parent on if it is the last, which is told how each ended, in their order', () => {
    const parent = waiting({
      of: 3,
      counted: 1,
      childrenTasksErrors: errors(1, 3),
      childrenTasksFailedCount: 1,
    })
    const { decision } = given(parent, child(1, running()))
      .where({
        ...settling,
        stored: [child(0, done('zero')), child(2, badly({ error: failure('Earlier') }))],
      })
      .when(failed({ of: 'c1' }))
    expect(decision.rows.get('p')).toMatchObject({
      status: 'waiting_for_finalize_task',
      childrenTasksFailedCount: 2,
    })
    expect(decision.inserts).toMatchObject([
      { taskId: 'last', runInput: 'input, parent output, zero, failed: No luck, failed: Earlier' },
    ])
  })

  test('or one that completes does, after it', () => {
    const parent = waiting({ of: 2, childrenTasksErrors: errors(1, 2) })
    given(parent, child(0, running()))
      .where({
        plan: tolerating(1, planWithoutFinalize),
        stored: [child(1, badly({ error: failure('Earlier') }))],
      })
      .when(completed({ of: 'c0' }))
      .thenIs('p', {
        status: 'completed',
        output: 'input, parent output, output, failed: Earlier',
        childrenTasksCompletedCount: 1,
      })
  })

  test('and so do those that end in one transaction, well and badly', () => {
    const { decision } = given(waiting({ of: 3 }), ...[0, 1, 2].map((index) => child(index, running())))
      .where(settling)
      .when(failed({ of: 'c0' }), completed({ of: 'c1', output: 'one' }), failed({ of: 'c2' }))
    expect(decision.inserts.map((row) => row.runInput)).toEqual([
      'input, parent output, failed: No luck, one, failed: No luck',
    ])
    expect(decision.rows.get('p')).toMatchObject({
      childrenTasksCompletedCount: 1,
      childrenTasksFailedCount: 2,
    })
  })

  test('though a cascade cancelled it, by its message: a task may throw any', () => {
    const error = failure('Parent task parent with execution id p failed: no', { errorType: 'cancelled' })
    given(waiting({ of: 2 }), child(0, finished('cancelled', { error })))
      .where(settling)
      .when(closed({ of: 'c0' }))
      .thenIs('p', { status: 'waiting_for_children_tasks', childrenTasksFailedCount: 1 })
  })
})

describe('one failure more than may be', () => {
  test('ends the parent, which names all of them', () => {
    const parent = waiting({ of: 4, childrenTasksErrors: errors(2, 4), childrenTasksFailedCount: 2 })
    const then = given(parent, child(0, running()))
      .where({ plan: tolerating(2) })
      .when(failed({ of: 'c0' }))
    then.thenIs('p', { status: 'children_tasks_failed', isClosed: false })
    expect(then.row('p').childrenTasksErrors?.map(({ index }) => index)).toEqual([2, 3, 0])
  })

  test('is the first where none may be', () => {
    given(waiting({ of: 2 }), child(0, running()))
      .where({ plan: tolerating(0) })
      .when(failed({ of: 'c0' }))
      .thenIs('p', { status: 'children_tasks_failed' })
  })

  test('ends the parent at the next end of a child, whichever, where the task came to tolerate fewer', () => {
    const parent = waiting({ of: 4, childrenTasksErrors: errors(1, 4), childrenTasksFailedCount: 1 })
    given(parent, child(0, running()))
      .where({ plan: tolerating(0) })
      .when(completed({ of: 'c0' }))
      .thenIs('p', { status: 'children_tasks_failed', childrenTasksCompletedCount: 1 })
  })
})

describe('more failures than are named', () => {
  const full = errors(100, 300)

  test('are counted in the row', () => {
    const parent = waiting({ of: 300, childrenTasksErrors: full, childrenTasksFailedCount: 150 })
    const then = given(parent, child(0, running()))
      .where(settling)
      .when(failed({ of: 'c0' }))
    expect(then.row('p').childrenTasksFailedCount).toBe(151)
    expect(then.row('p').childrenTasksErrors).toEqual(full)
  })

  test('are counted by reading where the row does not keep the count', () => {
    const parent = waiting({ of: 130, counted: 9, childrenTasksErrors: errors(100, 130) })
    const stored = Array.from({ length: 120 }, (_, at) => child(10 + at, badly()))
    stored.push(...Array.from({ length: 9 }, (_, at) => child(1 + at, done(''))))
    const { decision } = given(parent, child(0, running()))
      .where({ ...settling, stored })
      .when(failed({ of: 'c0' }))
    expect(decision.rows.get('p')).toMatchObject({
      status: 'waiting_for_finalize_task',
      childrenTasksFailedCount: 121,
    })
  })

  test('are told from the count alone', () => {
    expect(failedCount(waiting({ of: 300 }))).toBe(0)
    expect(failedCount(waiting({ of: 300, childrenTasksErrors: errors(99, 300) }))).toBe(99)
    expect(failedCount(waiting({ of: 300, childrenTasksErrors: full }))).toBe(undefined)
    expect(failedCount(waiting({ of: 300, childrenTasksErrors: full, childrenTasksFailedCount: 100 }))).toBe(
      100,
    )
  })
})

describe('outputs that cannot be put together', () => {
  const unreadable = { error: failure('Unreadable'), childIndex: 1 }

  test('fail the parent, and the child at fault is named before those that ended badly', () => {
    const parent = waiting({ of: 3, counted: 1, childrenTasksErrors: errors(1, 3) })
    const then = given(parent, child(0, running()))
      .where({ plan: { toleratedFailures: 2, composeOutput: () => unreadable } })
      .when(failed({ of: 'c0' }))
    expect(then.row('p')).toMatchObject({ status: 'children_tasks_failed' })
    expect(then.row('p').childrenTasksErrors?.map(({ index }) => index)).toEqual([1, 2, 0])
  })

  test('there is room for the child at fault in a full list', () => {
    const parent = waiting({
      of: 102,
      counted: 1,
      childrenTasksErrors: errors(100, 102),
      childrenTasksFailedCount: 100,
    })
    const then = given(parent, child(0, running()))
      .where({ plan: { toleratedFailures: Infinity, composeOutput: () => unreadable } })
      .when(completed({ of: 'c0' }))
    expect(then.row('p').childrenTasksErrors).toHaveLength(100)
    expect(then.row('p').childrenTasksErrors?.[0]?.index).toBe(1)
  })
})

describe('how a child ended badly', () => {
  test.each(['failed', 'timed_out', 'children_tasks_failed', 'finalize_task_failed', 'cancelled'] as const)(
    '%s is bad',
    (status) => {
      const error = failure('Why')
      expect(failureOf(finished(status, { error }))).toEqual({ status, error })
    },
  )

  test('of one whose finalize task failed it is told in words', () => {
    const finalizeTask = { taskId: 'last', executionId: 'f' }
    const row = { status: 'finalize_task_failed' as const, finalizeTask, finalizeTaskError: failure('Deep') }
    expect(failureOf(row)?.error.message).toBe('Finalize task with id f failed: Deep')
  })

  test.each(['completed', 'ready', 'running', undefined] as const)('%s is not', (status) => {
    expect(failureOf(status === undefined ? {} : { status })).toBeUndefined()
  })
})
