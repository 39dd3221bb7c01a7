/** Parents whose run returned: with children, and with none. */

import { describe, expect, test } from 'vitest'

import { LIMITS } from '../base/limits.ts'
import { type ExecutionRow } from './execution.ts'
import { fannedOut, newChild } from './events.test-support.ts'
import { failure, finished, running, waiting } from './rows.test-support.ts'
import { given, planWithFinalize, planWithoutFinalize } from './testing-dsl.test-support.ts'

const parent = (fields: Partial<ExecutionRow> & { lease?: string } = {}): ExecutionRow =>
  running({ executionId: 'p', taskId: 'parent', ...fields })

describe('fan-out', () => {
  test('the parent waits, and knows its children in the order they were returned', () => {
    given(parent())
      .when(fannedOut({ children: [newChild(0), newChild(1)] }))
      .thenIs('p', {
        status: 'waiting_for_children_tasks',
        runOutput: 'parent output',
        childrenTasksCount: 2,
        childrenTasks: [
          { taskId: 'child', executionId: 'c0' },
          { taskId: 'child', executionId: 'c1' },
        ],
      })
  })

  test('each child is a row below its parent', () => {
    const { decision } = given(parent()).when(fannedOut({ children: [newChild(0), newChild(1)] }))
    expect(decision.inserts).toMatchObject(
      [0, 1].map((index) => ({
        executionId: `c${index}`,
        status: 'ready',
        runInput: `input ${index}`,
        parentTask: { taskId: 'parent', executionId: 'p' },
        rootTask: { taskId: 'parent', executionId: 'p' },
        childIndex: index,
        depth: 2,
      })),
    )
  })

  test('the root of a grandchild is the top of the tree', () => {
    const rootTask = { taskId: 'top', executionId: 'top' }
    const { decision } = given(parent({ rootTask })).when(fannedOut({ children: [newChild(0)] }))
    expect(decision.inserts[0]?.rootTask).toEqual(rootTask)
  })

  test('a run that lost its lease has no children', () => {
    given(parent({ lease: 'second' }))
      .when(fannedOut({ children: [newChild(0)] }))
      .thenRefused('stale')
  })

  test('a cancelled parent has no children', () => {
    given(finished('cancelled', { executionId: 'p' }))
      .when(fannedOut({ lease: 'second', children: [newChild(0)] }))
      .thenRefused('stale')
  })

  test('a fan-out that is repeated inserts no children twice', () => {
    given(waiting({ of: 1 }))
      .when(fannedOut({ children: [newChild(0)] }))
      .thenRefused('repeated')
  })

  test('children clear the error of an earlier attempt', () => {
    const then = given(parent({ error: failure('Earlier'), losses: 1 })).when(
      fannedOut({ children: [newChild(0)] }),
    )
    expect(then.row('p').error).toBeUndefined()
    expect(then.row('p')).toMatchObject({ losses: 0 })
  })

  test('where the storage does not keep the depth, a child has none', () => {
    const { depth: _, ...row } = parent()
    const { decision } = given(row).when(fannedOut({ children: [newChild(0)] }))
    expect(decision.inserts).toHaveLength(1)
    expect(decision.inserts[0]).not.toHaveProperty('depth')
  })

  test('a tree may be as deep as the limit', () => {
    given(parent({ depth: LIMITS.depth - 1 }))
      .when(fannedOut({ children: [newChild(0)] }))
      .thenIs('p', { status: 'waiting_for_children_tasks' })
  })

  test('a tree may not be deeper than the limit, however often it is tried', () => {
    const then = given(parent({ depth: LIMITS.depth, retryOptions: { maxAttempts: 9 } })).when(
      fannedOut({ children: [newChild(0)] }),
    )
    expect(then.row('p').status).toBe('failed')
    expect(then.row('p').error?.message).toBe(
      'A tree of executions may be at most 1000 deep (limit: depth); this one would be 1001',
    )
    expect(then.decision.inserts).toEqual([])
  })
})

describe('no children', () => {
  test('without a finalize task the parent is completed', () => {
    given(parent())
      .where({ plan: planWithoutFinalize })
      .when(fannedOut())
      .thenIs('p', { status: 'completed', output: 'input, parent output', childrenTasks: [], isClosed: true })
  })

  test('with a finalize task that is enqueued at once', () => {
    const then = given(parent()).when(fannedOut())
    then.thenIs('p', {
      status: 'waiting_for_finalize_task',
      finalizeTask: { taskId: 'last', executionId: 'f' },
    })
    expect(then.decision.inserts).toMatchObject([{ executionId: 'f', runInput: 'input, parent output' }])
  })

  test('the input of the run is asked for where it was not read', () => {
    const { runInput: _, ...lean } = parent()
    const then = given(lean as ExecutionRow)
      .where({ stored: [parent()] })
      .when(fannedOut())
    then.thenIs('p', { status: 'waiting_for_finalize_task' })
    expect(then.decision.inserts.map((row) => row.runInput)).toEqual(['input, parent output'])
  })

  test.for([planWithoutFinalize, planWithFinalize])(
    'the lease and the error of an earlier attempt are cleared (finalize: $finalize.template.taskId)',
    (plan) => {
      const then = given(parent({ error: failure('Earlier') }))
        .where({ plan })
        .when(fannedOut())
      expect([then.row('p').error, then.row('p').expiresAt]).toEqual([undefined, undefined])
    },
  )

  test('the deepest row may be a parent of none', () => {
    given(parent({ depth: LIMITS.depth }))
      .where({ plan: planWithoutFinalize })
      .when(fannedOut())
      .thenIs('p', { status: 'completed' })
  })

  test('an output that cannot be put together is the end, whatever retries are left', () => {
    const error = failure('Unreadable', { isRetryable: true })
    given(parent({ retryOptions: { maxAttempts: 9 } }))
      .where({ plan: { composeOutput: () => ({ error }) } })
      .when(fannedOut())
      .thenIs('p', { status: 'failed', error: failure('Unreadable'), retryAttempts: 0 })
  })

  test('a finalize task counts for the depth', () => {
    given(parent({ depth: LIMITS.depth }))
      .when(fannedOut())
      .thenIs('p', { status: 'failed' })
  })
})
