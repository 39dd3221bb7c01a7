/** Rows that are locked together are decided together. */

import { describe, expect, test } from 'vitest'

import { type ExecutionRow } from './execution.ts'
import { cancelled, closed, completed, failed, parentEnded } from './events.test-support.ts'
import {
  child,
  failure,
  finalize,
  finished,
  NOW,
  ready,
  running,
  waiting,
  waitingForFinalize,
} from './rows.test-support.ts'
import { given, planWithoutFinalize } from './testing-dsl.test-support.ts'

const message = 'Parent task parent with execution id p failed: No luck'

describe('several events in one transaction', () => {
  test('two children that finish at once are both counted', () => {
    given(waiting({ of: 3 }), child(0, running()), child(1, running()))
      .when(completed({ of: 'c0' }), completed({ of: 'c1' }))
      .thenIs('p', { status: 'waiting_for_children_tasks', childrenTasksCompletedCount: 2 })
  })

  test('the last two children that finish at once enqueue one finalize execution', () => {
    const then = given(waiting({ of: 2 }), child(0, running()), child(1, running())).when(
      completed({ of: 'c0', output: 'zero' }),
      completed({ of: 'c1', output: 'one' }),
    )
    then.thenIs('p', { status: 'waiting_for_finalize_task', childrenTasksCompletedCount: 2 })
    expect(then.decision.inserts.map((row) => row.runInput)).toEqual(['input, parent output, zero, one'])
  })

  test('one child that fails and one that completes are both told', () => {
    given(waiting({ of: 2 }), child(0, running()), child(1, running()))
      .when(failed({ of: 'c0' }), completed({ of: 'c1' }))
      .thenIs('p', { status: 'children_tasks_failed', childrenTasksCompletedCount: 1 })
  })

  test('two children that fail at once are both named', () => {
    const then = given(waiting({ of: 2 }), child(0, running()), child(1, running())).when(
      failed({ of: 'c0' }),
      failed({ of: 'c1' }),
    )
    expect(then.row('p').childrenTasksErrors?.map((each) => each.executionId)).toEqual(['c0', 'c1'])
  })

  test('an event that is refused does not hold up the others', () => {
    const then = given(waiting({ of: 2 }), child(0, running({ lease: 'second' })), child(1, running())).when(
      completed({ of: 'c0', lease: 'first' }),
      completed({ of: 'c1' }),
    )
    expect(then.decision.results).toEqual(['stale', 'accepted'])
    expect(then.row('p').childrenTasksCompletedCount).toBe(1)
  })

  test('a row that could not be locked is not found', () => {
    given().when(completed()).thenRefused('not_found')
  })

  test('a settle that is repeated counts its child once', () => {
    const then = given(waiting({ of: 2 }), child(0, running())).when(
      completed({ of: 'c0' }),
      completed({ of: 'c0' }),
    )
    expect(then.decision.results).toEqual(['accepted', 'repeated'])
    expect(then.row('p').childrenTasksCompletedCount).toBe(1)
  })

  test('a cancel that came too late does not keep a child from telling its parent', () => {
    const then = given(waiting({ of: 2 }), child(0, running())).when(
      completed({ of: 'c0' }),
      parentEnded({ of: 'c0', message }),
    )
    expect(then.decision.results).toEqual(['accepted', 'finished'])
    expect(then.row('p').childrenTasksCompletedCount).toBe(1)
  })

  test('a row that is closed in the decision in which it finishes is closed once', () => {
    const then = given(waiting({ of: 2 }), child(0, running())).when(
      completed({ of: 'c0' }),
      closed({ of: 'c0' }),
    )
    expect(then.decision.results).toEqual(['accepted', 'accepted'])
    expect(then.row('p').childrenTasksCompletedCount).toBe(1)
  })

  test('a settle that was written before counts nothing', () => {
    given(waiting({ of: 2, counted: 1 }), child(0, finished('completed', { isClosed: true })))
      .when(completed({ of: 'c0' }))
      .thenRefused('repeated')
  })
})

describe('closing', () => {
  test('a row without a parent is closed as it finishes', () => {
    given(running()).when(completed()).thenIs('x', { isClosed: true })
  })

  test('a child is closed as it finishes, and its parent told, in one decision', () => {
    given(waiting({ of: 2 }), child(0, running()))
      .when(completed({ of: 'c0' }))
      .thenIs('c0', { status: 'completed', isClosed: true })
  })

  test('a child whose parent is not locked finishes, and is left open', () => {
    given(child(0, running()))
      .when(completed({ of: 'c0' }))
      .thenIs('c0', { status: 'completed', isClosed: false })
  })

  test("a child whose parent's task is not known here finishes, and is left open", () => {
    const then = given(waiting({ of: 1 }), child(0, running()))
      .where({ plan: undefined })
      .when(completed({ of: 'c0' }))
    then.thenIs('c0', { status: 'completed', isClosed: false })
    expect(then.row('p').childrenTasksCompletedCount).toBe(0)
  })

  test('a child of a finished parent is closed by anybody', () => {
    given(waiting({ of: 1, status: 'children_tasks_failed' }), child(0, running()))
      .where({ plan: undefined })
      .when(completed({ of: 'c0' }))
      .thenIs('c0', { isClosed: true })
  })

  test('a child whose parent does not exist is closed', () => {
    given(child(0, running()))
      .where({ missingParentIds: new Set(['p']) })
      .when(completed({ of: 'c0' }))
      .thenIs('c0', { isClosed: true })
  })

  test('a parent that the last child completes tells its own parent', () => {
    const top = waiting({
      of: 1,
      executionId: 'top',
      childrenTasks: [{ taskId: 'parent', executionId: 'p' }],
    })
    const middle = { ...waiting({ of: 1 }), parentTask: { taskId: 'top', executionId: 'top' } }
    const then = given(top, middle, child(0, running()))
      .where({ plan: planWithoutFinalize })
      .when(completed({ of: 'c0' }))
    expect([then.row('top').status, then.row('p').status]).toEqual(['completed', 'completed'])
    expect([then.row('top').isClosed, then.row('p').isClosed]).toEqual([true, true])
  })

  test('a parent that failed waits for what is below it', () => {
    given(waiting({ of: 2 }), child(0, running()))
      .when(failed({ of: 'c0' }))
      .thenIs('p', { status: 'children_tasks_failed', isClosed: false })
  })

  test('a parent that a user cancels waits for what is below it', () => {
    given(waiting({ of: 2 }))
      .when(cancelled({ of: 'p' }))
      .thenIs('p', { status: 'cancelled', isClosed: false })
  })

  test('a failed finalize execution closes its parent too', () => {
    given(waitingForFinalize(), finalize(running()))
      .when(failed({ of: 'f' }))
      .thenIs('p', { status: 'finalize_task_failed', isClosed: true })
  })

  test('children that their parent cancels are closed without it', () => {
    given(child(0, ready()), child(1, running()))
      .when(parentEnded({ of: 'c0', message }), parentEnded({ of: 'c1', message }))
      .thenIs('c1', { status: 'cancelled', isClosed: true, needsPromiseCancellation: true })
  })

  test('a task that throws what a parent would have said is told to its parent all the same', () => {
    given(waiting({ of: 2 }), child(0, running()))
      .when(failed({ of: 'c0', error: failure(message, { errorType: 'cancelled' }) }))
      .thenIs('p', { status: 'children_tasks_failed' })
  })

  test('a child that is a parent itself is not closed before what is below it', () => {
    const row = { ...child(0, waiting({ of: 1 })), executionId: 'c0' }
    given(row)
      .when(parentEnded({ of: 'c0', message }))
      .thenIs('c0', { status: 'cancelled', isClosed: false })
  })
})

describe('closing later', () => {
  test('a finished child is closed, and its parent told', () => {
    const then = given(waiting({ of: 2 }), child(0, finished('completed'))).when(closed({ of: 'c0' }))
    then.thenIs('c0', { isClosed: true })
    expect(then.row('p').childrenTasksCompletedCount).toBe(1)
  })

  test('two closers of one child count it once', () => {
    const then = given(waiting({ of: 2 }), child(0, finished('completed'))).when(
      closed({ of: 'c0' }),
      closed({ of: 'c0' }),
    )
    expect(then.decision.results).toEqual(['accepted', 'closed'])
    expect(then.row('p').childrenTasksCompletedCount).toBe(1)
  })

  test('a row that could not be locked is not closed', () => {
    given().when(closed()).thenRefused('not_found')
  })

  test('news of a child does not close a parent that finished before', () => {
    const parent = finished('failed', { executionId: 'p', childrenTasksCount: 2 })
    given(parent, child(0, running()))
      .when(completed({ of: 'c0' }))
      .thenIs('p', { childrenTasksCompletedCount: 1, isClosed: false })
  })

  test('a row that is not finished is not closed', () => {
    given(running()).when(closed()).thenRefused('not_finished')
  })

  test('a row is not closed while something below it is open', () => {
    given(waiting({ of: 1, status: 'children_tasks_failed' }))
      .when(closed({ of: 'p', isBelowClosed: false }))
      .thenRefused('below_open')
  })

  test('a row is closed once nothing below it is open', () => {
    given(waiting({ of: 1, status: 'children_tasks_failed' }))
      .when(closed({ of: 'p' }))
      .thenIs('p', { isClosed: true })
  })

  test('a child is not closed by one that does not know its parent', () => {
    const rows = (parent: Array<ExecutionRow>): Array<ExecutionRow> => [
      ...parent,
      child(0, finished('failed')),
    ]
    given(...rows([]))
      .when(closed({ of: 'c0' }))
      .thenRefused('parent_unknown')
    given(...rows([waiting({ of: 1 })]))
      .where({ plan: undefined })
      .when(closed({ of: 'c0' }))
      .thenRefused('parent_unknown')
  })

  test('a child that its parent cancelled is closed late without being named', () => {
    const error = failure(message, { errorType: 'cancelled' })
    const row = child(0, waiting({ of: 1, status: 'cancelled', error, finishedAt: new Date(NOW) }))
    const then = given(waiting({ of: 1, status: 'children_tasks_failed' }), row).when(closed({ of: 'c0' }))
    expect(then.row('c0').isClosed).toBe(true)
    expect(then.row('p').childrenTasksErrors).toBe(undefined)
  })

  test('the error of a child that is closed late is kept by its parent', () => {
    const error = failure('Too late', { errorType: 'timed_out' })
    const then = given(waiting({ of: 1 }), child(0, finished('timed_out', { error }))).when(
      closed({ of: 'c0' }),
    )
    expect(then.row('p').childrenTasksErrors?.map((each) => each.error)).toEqual([error])
  })
})
