/** Children that end badly, and what is left below a parent that did. */

import { describe, expect, test } from 'vitest'

import { LIMITS } from '../base/limits.ts'
import { type ExecutionRow } from './execution.ts'
import { endedBadly, mayHaveOpenBelow, parentEndedMessage, wasCancelledByParent } from './parent.ts'
import { closed, failed } from './events.test-support.ts'
import { child, failure, finished, ready, running, waiting, waitingForFinalize } from './rows.test-support.ts'
import { given } from './testing-dsl.test-support.ts'

const cancelledByParent = failure('Parent task parent with execution id p failed: No luck', {
  errorType: 'cancelled',
})

describe('children that end badly', () => {
  const failedParent = (count: number, fields: Partial<ExecutionRow> = {}): ExecutionRow => {
    const childrenTasksErrors = Array.from({ length: count }, (_, index) => ({
      index: index + 1,
      taskId: 'child',
      executionId: `c${index + 1}`,
      error: failure('Earlier'),
    }))
    return waiting({ of: 200, status: 'children_tasks_failed', childrenTasksErrors, ...fields })
  }

  test('the first one fails the parent, and is named', () => {
    given(waiting({ of: 3 }), child(2, running()))
      .when(failed({ of: 'c2' }))
      .thenIs('p', {
        status: 'children_tasks_failed',
        isClosed: false,
        childrenTasksErrors: [{ index: 2, taskId: 'child', executionId: 'c2', error: failure('No luck') }],
      })
  })

  test('its place is looked up in the list where its row does not say it', () => {
    const { childIndex: _, ...row } = child(2, running())
    const then = given(waiting({ of: 3 }), row).when(failed({ of: 'c2' }))
    expect(then.row('p').childrenTasksErrors?.[0]?.index).toBe(2)
  })

  test('where neither says its place, it is the first', () => {
    const { childrenTasks: _, ...parent } = waiting({ of: 3 })
    const { childIndex: __, ...row } = child(2, running())
    const then = given(parent, row).when(failed({ of: 'c2' }))
    expect(then.row('p').childrenTasksErrors?.map((each) => each.index)).toEqual([0])
  })

  test('one is added to a list that there was not', () => {
    const parent = waiting({ of: 2, status: 'children_tasks_failed' })
    const then = given(parent, child(0, running())).when(failed({ of: 'c0' }))
    expect(then.row('p').childrenTasksErrors?.map((each) => each.executionId)).toEqual(['c0'])
  })

  test('a later one is added', () => {
    const then = given(failedParent(1), child(0, running())).when(failed({ of: 'c0' }))
    expect(then.row('p').childrenTasksErrors?.map((each) => each.index)).toEqual([1, 0])
  })

  test('one that is named already is not added again', () => {
    const then = given(failedParent(2), child(1, finished('failed'))).when(closed({ of: 'c1' }))
    expect(then.row('p').childrenTasksErrors).toHaveLength(2)
    expect(then.row('c1').isClosed).toBe(true)
  })

  test('one hundred are named', () => {
    const then = given(failedParent(99), child(0, running())).when(failed({ of: 'c0' }))
    expect(then.row('p').childrenTasksErrors).toHaveLength(100)
  })

  test('more than a hundred are not', () => {
    const then = given(failedParent(100), child(0, running())).when(failed({ of: 'c0' }))
    expect(then.row('p').childrenTasksErrors).toHaveLength(100)
    expect(then.row('c0').isClosed).toBe(true)
  })

  test('one that was cancelled since its parent failed is not added', () => {
    const row = child(0, finished('cancelled', { error: cancelledByParent }))
    const then = given(failedParent(1), row).when(closed({ of: 'c0' }))
    expect(then.row('p').childrenTasksErrors).toHaveLength(1)
  })

  test('one that a user cancelled is added', () => {
    const row = child(
      0,
      finished('cancelled', { error: failure('Task cancelled', { errorType: 'cancelled' }) }),
    )
    const then = given(failedParent(1), row).when(closed({ of: 'c0' }))
    expect(then.row('p').childrenTasksErrors).toHaveLength(2)
  })

  test('a cancelled parent names none', () => {
    const then = given(
      waiting({ of: 1, status: 'cancelled', error: failure('Task cancelled') }),
      child(0, running()),
    ).when(failed({ of: 'c0' }))
    expect(then.row('p')).not.toHaveProperty('childrenTasksErrors')
  })

  test('a child whose own children failed says so in words', () => {
    const childrenTasksErrors = [
      { index: 0, taskId: 'leaf', executionId: 'leaf1', error: failure('Out of paper') },
    ]
    const row = child(0, waiting({ of: 1, status: 'children_tasks_failed', childrenTasksErrors }))
    const then = given(waiting({ of: 1 }), row).when(closed({ of: 'c0' }))
    expect(then.row('p').childrenTasksErrors?.[0]?.error.message).toBe(
      'Children task errors:\n  Child task with id leaf1 failed: Out of paper',
    )
  })
})

describe('what is below a finished row', () => {
  test('below a row that was only run there is nothing', () => {
    expect(
      ['failed', 'timed_out', 'completed', 'cancelled'].map((status) => mayHaveOpenBelow(row(status))),
    ).toEqual([false, false, false, false])
  })

  test('below failed children, and below a parent that was cancelled, there may be something', () => {
    expect(mayHaveOpenBelow(waiting({ of: 2, status: 'children_tasks_failed' }))).toBe(true)
    expect(mayHaveOpenBelow(waiting({ of: 2, status: 'cancelled' }))).toBe(true)
    expect(mayHaveOpenBelow(waitingForFinalize({ status: 'cancelled', childrenTasksCount: 1 }))).toBe(true)
  })

  test('below failed children there may be something though their list was not read', () => {
    expect(mayHaveOpenBelow(finished('children_tasks_failed'))).toBe(true)
  })

  test('a parent without children that was cancelled while it waited for finalize has that below it', () => {
    const fields = { childrenTasks: [], childrenTasksCount: 0, childrenTasksCompletedCount: 0 }
    expect(mayHaveOpenBelow(waitingForFinalize({ status: 'cancelled', ...fields }))).toBe(true)
  })

  test('what its parent cancelled is told apart from what a user cancelled', () => {
    const byParent = {
      error: failure(parentEndedMessage(row('failed', { executionId: 'p', taskId: 'parent' }))),
    }
    expect(wasCancelledByParent(child(0, finished('cancelled', byParent)))).toBe(true)
    expect(wasCancelledByParent(child(0, finished('cancelled')))).toBe(false)
    expect(wasCancelledByParent(finished('cancelled', byParent))).toBe(false)
    expect(wasCancelledByParent(child(0, ready({ status: 'cancelled' })))).toBe(false)
    expect(wasCancelledByParent(child(0, finished('failed', byParent)))).toBe(false)
  })

  test.for([
    ['Parent task top with execution id t failed: No luck', 'No luck'],
    ['Parent task top with execution id other failed: No luck', undefined],
    ['No luck', undefined],
    ['No luck. Parent task top with execution id t failed: ', undefined],
  ] as const)('of %j the first cause is told downwards', ([message, cause = message]) => {
    const parentTask = { taskId: 'top', executionId: 't' }
    const parent = child(0, row('cancelled', { error: failure(message) }))
    expect(parentEndedMessage({ ...parent, parentTask })).toBe(
      `Parent task child with execution id c0 failed: ${cause}`,
    )
  })

  test('a message that is told downwards stays within the limit', () => {
    const message = parentEndedMessage(
      row('failed', { error: failure('x'.repeat(LIMITS.errorMessageLength)) }),
    )
    expect(message).toHaveLength(LIMITS.errorMessageLength)
  })

  test('every end but completed is a bad one', () => {
    expect([endedBadly(row('completed')), endedBadly(row('cancelled')), endedBadly(ready())]).toEqual([
      false,
      true,
      false,
    ])
  })

  function row(status: string, fields: Partial<ExecutionRow> = {}): ExecutionRow {
    return finished(status as 'failed', fields)
  }
})
