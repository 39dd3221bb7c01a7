/** What one event must know before it can be decided, and what it is told when it knows less than it must. */

import { describe, expect, test } from 'vitest'

import { type ExecutionEvent } from './event.ts'
import { type LeanRow } from './execution.ts'
import { fannedOut } from './events.test-support.ts'
import {
  child,
  failure,
  finalize,
  finished,
  NOW,
  running,
  waiting,
  waitingForFinalize,
} from './rows.test-support.ts'
import { planWithFinalize, tolerating } from './testing-dsl.test-support.ts'
import { type Transition, type TransitionFacts } from './facts.ts'
import { transition } from './transition.ts'

const about = { executionId: 'p', childId: 'c0' }
const ofFinalize = { executionId: 'p', childId: 'f' }

/** The event, where nothing is known but what is given. */
function decided(row: LeanRow, event: ExecutionEvent, known: Partial<TransitionFacts> = {}): Transition {
  return transition(row, event, {
    now: NOW,
    planOf: () => undefined,
    newExecutionId: () => 'f',
    row: () => undefined,
    known: () => undefined,
    fanIn: () => undefined,
    output: () => undefined,
    failedChildren: () => undefined,
    ...known,
  })
}

describe('what is not known is asked for', () => {
  test('the texts of a parent whose last child is done', () => {
    expect(
      decided(waiting({ of: 1 }), { kind: 'child_completed', ...about }, { planOf: () => planWithFinalize }),
    ).toEqual({ needs: 'fan_in', executionId: 'p' })
  })

  test('the output of a finalize execution that is done', () => {
    const { output: _, ...done } = finalize(finished('completed'))
    expect(
      decided(waitingForFinalize(), { kind: 'finalize_completed', ...ofFinalize }, { row: () => done }),
    ).toEqual({ needs: 'output', executionId: 'f' })
  })

  test('but no output of one that failed, whose own task may be unknown here', () => {
    const failed = finalize(finished('failed'))
    expect(
      decided(waitingForFinalize(), { kind: 'finalize_failed', ...ofFinalize }, { row: () => failed }),
    ).toMatchObject({ update: { status: 'finalize_task_failed', finalizeTaskError: failure('No luck') } })
  })

  test('how many children failed, where the row does not say it', () => {
    const childrenTasksErrors = Array.from({ length: 100 }, (_, index) => ({
      index,
      taskId: 'child',
      executionId: `c${index + 1}`,
      error: failure('Earlier'),
    }))
    const parent = waiting({ of: 300, childrenTasksErrors })
    const known = { row: () => child(0, finished('failed')), planOf: () => tolerating(Infinity) }
    for (const kind of ['child_completed', 'child_failed'] as const) {
      const wanted = { needs: 'failed_children', executionId: 'p' }
      expect(decided(parent, { kind, ...about }, known)).toEqual(wanted)
      const counted = { ...parent, childrenTasksFailedCount: 170 }
      expect(decided(counted, { kind, ...about }, known)).toHaveProperty('update')
    }
  })

  test('nothing of a parent whose task is not known here', () => {
    expect(decided(waiting({ of: 1 }), { kind: 'child_completed', ...about })).toEqual({
      refused: 'parent_unknown',
    })
  })
})

describe('what cannot be otherwise is a bug', () => {
  test('a child that failed is in its family', () => {
    expect(() => decided(waiting({ of: 1 }), { kind: 'child_failed', ...about })).toThrow(
      'the failed child c0 is not in its family',
    )
  })

  test('so is a finalize execution', () => {
    expect(() => decided(waitingForFinalize(), { kind: 'finalize_failed', ...ofFinalize })).toThrow(
      'the finalize execution f is not in its family',
    )
  })

  test('a task that was run here is known here', () => {
    expect(() => decided(running(), fannedOut({ of: 'x' }))).toThrow(
      'task was run here and is not known here',
    )
  })
})

test('a child that fails adds no rows', () => {
  const failed = child(0, finished('failed'))
  const step = decided(
    waiting({ of: 1 }),
    { kind: 'child_failed', ...about },
    { row: () => failed, planOf: () => planWithFinalize },
  )
  expect(step).toMatchObject({ update: { status: 'children_tasks_failed' }, inserts: [] })
})
