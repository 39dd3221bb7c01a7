/** Worlds that break a promise are found out, one for each, and sound ones are not. */

import { describe, expect, test } from 'vitest'

import { type ExecutionRow } from './execution.ts'
import { checkWorld, type InvariantId, type Violation } from './invariants.ts'
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
} from './testing-dsl.test-support.ts'

const errorOf = (index: number): NonNullable<ExecutionRow['childrenTasksErrors']>[number] => ({
  index,
  taskId: 'child',
  executionId: `c${index}`,
  error: failure('No luck'),
})
const done = finished('completed', { isClosed: true })
const bad = finished('failed', { isClosed: true })
const byParent = {
  isClosed: true,
  error: failure('Parent task parent with execution id p failed: No luck', { errorType: 'cancelled' }),
}
const failedParent = waiting({ of: 2, status: 'children_tasks_failed', finishedAt: new Date(NOW) })
const finishedAt = new Date(NOW)

function named(violations: ReadonlyArray<Violation>): Array<InvariantId> {
  return [...new Set(violations.map((violation) => violation.invariant))]
}

describe('worlds that keep every promise', () => {
  const sound: ReadonlyArray<[string, Array<ExecutionRow>]> = [
    ['rows by themselves', [ready(), running({ executionId: 'y' }), { ...done, executionId: 'z' }]],
    ['a parent that waits', [waiting({ of: 2, counted: 1 }), child(0, done), child(1, running())]],
    ['a child that is completed and open', [waiting({ of: 1 }), child(0, finished('completed'))]],
    ['a parent that waits for finalize', [waitingForFinalize(), child(0, done), finalize(running())]],
    [
      'a parent whose child failed',
      [{ ...failedParent, childrenTasksErrors: [errorOf(0)] }, child(0, bad), child(1, running())],
    ],
    [
      'what a parent cancelled is not named',
      [
        { ...failedParent, childrenTasksErrors: [errorOf(0)], isClosed: true },
        child(0, bad),
        child(1, finished('cancelled', byParent)),
      ],
    ],
  ]
  test.for(sound)('%s', ([, rows]) => {
    expect(checkWorld(rows)).toEqual([])
  })
})

describe('worlds that break a promise', () => {
  const { expiresAt: _, ...withoutDeadline } = running()
  const { finishedAt: __, ...withoutEnd } = finished('failed')
  const { output: ___, ...withoutOutput } = finished('completed')
  const broken: ReadonlyArray<[InvariantId, string, Array<ExecutionRow>]> = [
    ['S3', 'a row that runs without a deadline', [withoutDeadline]],
    ['S3', 'a row with a deadline that does not run', [ready({ expiresAt: finishedAt })]],
    ['S1', 'a finished row without its instant', [withoutEnd]],
    ['S1', 'a row that finished before it started', [finished('failed', { startedAt: finishedAt })]],
    ['S6', 'a completed row without an output', [withoutOutput]],
    ['S6', 'a failed row with an output', [finished('failed', { output: 'output' })]],
    ['S2', 'a row that is closed and active', [ready({ isClosed: true })]],
    ['S8', 'a parent of which a child is missing', [waiting({ of: 2 }), child(0, ready())]],
    ['S8', 'a parent that waits for no children', [waiting({ of: 0 })]],
    ['S8', 'a parent that still runs and has children', [running({ executionId: 'p' }), child(0, ready())]],
    [
      'S8',
      'a child that its parent does not list',
      [waiting({ of: 1 }), child(0, ready()), child(1, ready())],
    ],
    [
      'S9',
      'a child counted that is not completed',
      [waiting({ of: 2, counted: 1 }), child(0, ready()), child(1, ready())],
    ],
    [
      'S9',
      'a child counted that is not closed',
      [waiting({ of: 2, counted: 1 }), child(0, finished('completed')), child(1, ready())],
    ],
    ['S9', 'a child not counted that is closed', [waiting({ of: 2 }), child(0, done), child(1, ready())]],
    [
      'S10',
      'two finalize executions',
      [waitingForFinalize(), child(0, done), finalize(ready()), { ...finalize(ready()), executionId: 'f2' }],
    ],
    [
      'S11',
      'a finalize execution before its time',
      [waitingForFinalize({ childrenTasksCompletedCount: 0 }), child(0, running()), finalize(ready())],
    ],
    [
      'S12',
      'a parent that waits though a child that failed is closed',
      [waiting({ of: 2 }), child(0, bad), child(1, ready())],
    ],
    ['S12', 'a parent that waits though all are done', [waiting({ of: 1, counted: 1 }), child(0, done)]],
    [
      'S12',
      'a parent that waits for a finalize execution that is closed',
      [waitingForFinalize(), child(0, done), finalize(done)],
    ],
    [
      'S12',
      'a parent that waits for a finalize execution that is not there',
      [waitingForFinalize(), child(0, done)],
    ],
    [
      'S12',
      'a completed parent of a failed child',
      [waiting({ of: 1, status: 'completed', output: '', finishedAt }), child(0, bad)],
    ],
    [
      'S12',
      'a completed parent of a finalize task that failed',
      [waitingForFinalize({ status: 'completed', output: '', finishedAt }), child(0, done), finalize(bad)],
    ],
    ['S12', 'failed children that are not named', [failedParent, child(0, bad), child(1, ready())]],
    [
      'S12',
      'a closed child that failed and is not named',
      [{ ...failedParent, childrenTasksErrors: [errorOf(0)] }, child(0, bad), child(1, bad)],
    ],
    [
      'S12',
      'a child named twice',
      [{ ...failedParent, childrenTasksErrors: [errorOf(0), errorOf(0)] }, child(0, bad), child(1, ready())],
    ],
    [
      'S12',
      'a child named that is none',
      [{ ...failedParent, childrenTasksErrors: [errorOf(7)] }, child(0, ready()), child(1, ready())],
    ],
    [
      'S12',
      'a finalize task said to have failed that completed',
      [
        waitingForFinalize({ status: 'finalize_task_failed', finalizeTaskError: failure('No'), finishedAt }),
        child(0, done),
        finalize(done),
      ],
    ],
    [
      'S12',
      'a child cancelled by a parent that goes on',
      [waiting({ of: 2 }), child(0, finished('cancelled', byParent)), child(1, ready())],
    ],
    [
      'S13',
      'a closed parent that was cancelled, and a child that runs',
      [waiting({ of: 1, status: 'cancelled', finishedAt, isClosed: true }), child(0, running())],
    ],
    [
      'S13',
      'the same two storeys down',
      [
        waiting({ of: 1, status: 'cancelled', finishedAt, isClosed: true }),
        {
          ...child(0, waiting({ of: 1, status: 'cancelled', finishedAt })),
          childrenTasks: [{ taskId: 'leaf', executionId: 'leaf' }],
          childrenTasksCount: 1,
        },
        { ...child(0, running()), executionId: 'leaf', parentTask: { taskId: 'child', executionId: 'c0' } },
      ],
    ],
  ]
  test.for(broken)('%s: %s', ([invariant, , rows]) => {
    expect(named(checkWorld(rows))).toContain(invariant)
  })
})
