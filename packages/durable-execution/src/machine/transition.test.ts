/** What one event must know before it can be decided, and what it is told when it knows less than it must. */

import { describe, expect, test } from 'vitest'

import { type ExecutionEvent } from './event.ts'
import { type LeanRow } from './execution.ts'
import {
  child,
  failure,
  fannedOut,
  finalize,
  finished,
  NOW,
  planWithFinalize,
  running,
  waiting,
  waitingForFinalize,
} from './testing-dsl.test-support.ts'
import { transition, type Transition, type TransitionFacts } from './transition.ts'

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
  const step = decided(waiting({ of: 1 }), { kind: 'child_failed', ...about }, { row: () => failed })
  expect(step).toMatchObject({ update: { status: 'children_tasks_failed' }, inserts: [] })
})
