/** Parents whose children, and whose finalize task, are done. */

import { describe, expect, test } from 'vitest'

import { LIMITS } from '../base/limits.ts'
import { type ExecutionRow } from './execution.ts'
import { closed, completed, failed } from './events.test-support.ts'
import {
  child,
  failure,
  finalize,
  finished,
  running,
  waiting,
  waitingForFinalize,
} from './rows.test-support.ts'
import { given, planWithFinalize, planWithoutFinalize } from './testing-dsl.test-support.ts'

const done = (output: string): ExecutionRow => finished('completed', { output, isClosed: true })

describe('fan-in', () => {
  test('a child that is not the last is counted', () => {
    given(waiting({ of: 2 }), child(0, running()))
      .when(completed({ of: 'c0' }))
      .thenIs('p', { status: 'waiting_for_children_tasks', childrenTasksCompletedCount: 1 })
  })

  test('the last child completes a parent without a finalize task', () => {
    given(waiting({ of: 1 }), child(0, running()))
      .where({ plan: planWithoutFinalize })
      .when(completed({ of: 'c0' }))
      .thenIs('p', {
        status: 'completed',
        output: 'input, parent output, output',
        childrenTasksCompletedCount: 1,
      })
  })

  test('outputs are in the order in which the children were returned, not in which they ended', () => {
    const { decision } = given(waiting({ of: 3, counted: 2 }), child(1, running()))
      .where({ stored: [child(0, done('zero')), child(2, done('two'))] })
      .when(completed({ of: 'c1', output: 'one' }))
    expect(decision.inserts[0]?.runInput).toBe('input, parent output, zero, one, two')
  })

  test('the finalize execution is a row below the parent', () => {
    const { decision } = given(waiting({ of: 1 }), child(0, running())).when(completed({ of: 'c0' }))
    expect(decision.inserts).toMatchObject([
      { taskId: 'last', parentTask: { executionId: 'p', isFinalizeTask: true }, depth: 2, status: 'ready' },
    ])
  })

  test('an output that cannot be read fails the parent with the error of that child', () => {
    given(waiting({ of: 2, counted: 1 }), child(1, running()))
      .where({ stored: [] })
      .when(completed({ of: 'c1' }))
      .thenIs('p', {
        status: 'children_tasks_failed',
        childrenTasksCompletedCount: 2,
        childrenTasksErrors: [{ index: 0, taskId: 'child', executionId: 'c0', error: failure('Unreadable') }],
      })
  })

  test('an output that is missing for no child of it fails the parent by itself', () => {
    const error = failure('Unreadable')
    const plan = { composeOutput: () => ({ error, childIndex: 7 }) }
    given(waiting({ of: 1 }), child(0, running()))
      .where({ plan })
      .when(completed({ of: 'c0' }))
      .thenIs('p', { status: 'children_tasks_failed', error, childrenTasksErrors: [] })
  })

  test('a finalize task below the deepest parent fails it', () => {
    given(waiting({ of: 1, depth: LIMITS.depth }), child(0, running()))
      .when(completed({ of: 'c0' }))
      .thenIs('p', { status: 'children_tasks_failed', childrenTasksErrors: [] })
  })

  test('a parent that is finished counts late children', () => {
    given(finished('children_tasks_failed', { executionId: 'p', childrenTasksCount: 2 }), child(0, running()))
      .when(completed({ of: 'c0' }))
      .thenIs('p', { status: 'children_tasks_failed', childrenTasksCompletedCount: 1 })
  })
})

describe('finalize', () => {
  test("its output becomes the parent's", () => {
    given(waitingForFinalize(), finalize(running()))
      .when(completed({ of: 'f', output: 'the end' }))
      .thenIs('p', { status: 'completed', output: 'the end', runOutput: 'parent output', isClosed: true })
  })

  test('an output that was stored before is read', () => {
    const { output: _, ...lean } = finalize(finished('completed'))
    given(waitingForFinalize(), lean)
      .where({ stored: [finalize(finished('completed', { output: 'stored' }))] })
      .when(closed({ of: 'f' }))
      .thenIs('p', { status: 'completed', output: 'stored' })
  })

  test('an error that the parent had is cleared', () => {
    const then = given(waitingForFinalize({ error: failure('Earlier') }), finalize(running())).when(
      completed({ of: 'f' }),
    )
    expect(then.row('p').error).toBeUndefined()
  })

  test('what failed below it is told in words, or as it is by a link of a chain', () => {
    const finalizeTaskError = failure('Deep')
    const rows = [
      waitingForFinalize(),
      finalize(waitingForFinalize({ status: 'finalize_task_failed', finalizeTaskError })),
    ]
    given(...rows)
      .when(closed({ of: 'f' }))
      .thenIs('p', { finalizeTaskError: failure('Finalize task with id f failed: Deep') })
    given(...rows)
      .where({ plan: { ...planWithFinalize, passesErrorsOn: true } })
      .when(closed({ of: 'f' }))
      .thenIs('p', { finalizeTaskError })
  })

  test("its error becomes the parent's finalizeTaskError", () => {
    given(waitingForFinalize(), finalize(running()))
      .when(failed({ of: 'f' }))
      .thenIs('p', { status: 'finalize_task_failed', finalizeTaskError: failure('No luck'), isClosed: true })
  })

  test('a parent that was cancelled meanwhile stays cancelled', () => {
    given(waitingForFinalize({ status: 'cancelled' }), finalize(finished('completed')))
      .when(closed({ of: 'f' }))
      .thenIs('p', { status: 'cancelled' })
  })
})
