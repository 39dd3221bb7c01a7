/** Worlds that break a promise are found out, one for each, and sound ones are not. */

import { describe, expect, test } from 'vitest'

import { type ExecutionRow } from './execution.ts'
import { checkWorld } from './invariants.ts'
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
import { told } from './told.test-support.ts'

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

const timedOut = { status: 'timed_out', finishedAt, deadlineAt: finishedAt } as const

describe('a parent that timed out while it waited', () => {
  test.for([
    ['with a child', [waiting({ of: 1, ...timedOut }), child(0, bad)]],
    ['with its finalize execution', [waitingForFinalize(timedOut), child(0, done), finalize(bad)]],
  ] as const)('%s keeps every promise', ([, rows]) => {
    expect(checkWorld(rows)).toEqual([])
  })
})

describe('worlds that break a promise', () => {
  const { expiresAt: _, ...withoutDeadline } = running()
  const { finishedAt: __, ...withoutEnd } = finished('failed')
  const { output: ___, ...withoutOutput } = finished('completed')
  const broken: ReadonlyArray<[string, Array<string>, Array<ExecutionRow>]> = [
    ['a row that runs without a deadline', ['S3 at x: it is running without expiresAt'], [withoutDeadline]],
    [
      'a row with a deadline that does not run',
      ['S3 at x: it is ready with expiresAt'],
      [ready({ expiresAt: finishedAt })],
    ],
    ['a finished row without its instant', ['S1 at x: it is failed without finishedAt'], [withoutEnd]],
    [
      'a row that finished before it started',
      ['S1 at x: it finished before it started'],
      [finished('failed', { startedAt: finishedAt })],
    ],
    ['a completed row without an output', ['S6 at x: it is completed without an output'], [withoutOutput]],
    [
      'a failed row with an output',
      ['S6 at x: it is failed with an output'],
      [finished('failed', { output: 'output' })],
    ],
    ['a row that is closed and active', ['S2 at x: it is closed and ready'], [ready({ isClosed: true })]],
    [
      'a parent of which a child is missing',
      ['S8 at p: it waits for 2 children, and 1 are there'],
      [waiting({ of: 2 }), child(0, ready())],
    ],
    [
      'a parent that waits for no children',
      ['S8 at p: it waits for 0 children, and 0 are there'],
      [waiting({ of: 0 })],
    ],
    [
      'a parent that still runs and has children',
      ['S8 at p: it is running and has rows below it', 'S8 at c0: p does not list it among its children'],
      [running({ executionId: 'p' }), child(0, ready())],
    ],
    [
      'a child that its parent does not list',
      [
        'S8 at p: it waits for 1 children, and 2 are there',
        'S8 at c1: p does not list it among its children',
      ],
      [waiting({ of: 1 }), child(0, ready()), child(1, ready())],
    ],
    [
      'a child counted that is not completed',
      ['S9 at p: it counted 1 children, 0 are completed and closed'],
      [waiting({ of: 2, counted: 1 }), child(0, ready()), child(1, ready())],
    ],
    [
      'a child counted that is not closed',
      ['S9 at p: it counted 1 children, 0 are completed and closed'],
      [waiting({ of: 2, counted: 1 }), child(0, finished('completed')), child(1, ready())],
    ],
    [
      'a child not counted that is closed',
      ['S9 at p: it counted 0 children, 1 are completed and closed'],
      [waiting({ of: 2 }), child(0, done), child(1, ready())],
    ],
    [
      'two finalize executions',
      ['S10 at p: it has 2 finalize executions', 'S10 at f2: it is not the finalize execution of p'],
      [waitingForFinalize(), child(0, done), finalize(ready()), { ...finalize(ready()), executionId: 'f2' }],
    ],
    [
      'a finalize execution before its time',
      ['S11 at p: it has a finalize execution, and only 0 of 1 children are done'],
      [waitingForFinalize({ childrenTasksCompletedCount: 0 }), child(0, running()), finalize(ready())],
    ],
    [
      'a parent that waits though a child that failed is closed',
      ['S12 at p: it still waits for children, though one that ended badly is closed'],
      [waiting({ of: 2 }), child(0, bad), child(1, ready())],
    ],
    [
      'a parent that waits though all are done',
      ['S12 at p: it still waits for children, and all are done'],
      [waiting({ of: 1, counted: 1 }), child(0, done)],
    ],
    [
      'a parent that waits for a finalize execution that is closed',
      ['S12 at p: it waits for a finalize execution that is closed'],
      [waitingForFinalize(), child(0, done), finalize(done)],
    ],
    [
      'a parent that waits for a finalize execution that is not there',
      ['S12 at p: it waits for a finalize execution that is not there'],
      [waitingForFinalize(), child(0, done)],
    ],
    [
      'a completed parent of a failed child',
      ['S12 at p: it is completed, and not all of its children are'],
      [waiting({ of: 1, status: 'completed', output: '', finishedAt }), child(0, bad)],
    ],
    [
      'a completed parent of a finalize task that failed',
      ['S12 at p: it is completed, and its finalize execution is not'],
      [waitingForFinalize({ status: 'completed', output: '', finishedAt }), child(0, done), finalize(bad)],
    ],
    [
      'failed children that are not named',
      [
        'S12 at p: it says that children failed, and names none',
        'S12 at p: the error of a child that is closed is missing',
      ],
      [failedParent, child(0, bad), child(1, ready())],
    ],
    [
      'a closed child that failed and is not named',
      ['S12 at p: the error of a child that is closed is missing'],
      [{ ...failedParent, childrenTasksErrors: [errorOf(0)] }, child(0, bad), child(1, bad)],
    ],
    [
      'a child named twice',
      ['S12 at p: it names 1 children in 2 errors'],
      [{ ...failedParent, childrenTasksErrors: [errorOf(0), errorOf(0)] }, child(0, bad), child(1, ready())],
    ],
    [
      'a child named that its parent had cancelled',
      ['S12 at p: it names a child that was cancelled since it had ended itself'],
      [
        { ...failedParent, childrenTasksErrors: [errorOf(0), errorOf(1)], isClosed: true },
        child(0, bad),
        child(1, finished('cancelled', byParent)),
      ],
    ],
    [
      'a child named that is none',
      ['S12 at p: it names a child that it does not have'],
      [{ ...failedParent, childrenTasksErrors: [errorOf(7)] }, child(0, ready()), child(1, ready())],
    ],
    [
      'a finalize task said to have failed that completed',
      ['S12 at p: it says that its finalize execution failed, which it did not'],
      [
        waitingForFinalize({ status: 'finalize_task_failed', finalizeTaskError: failure('No'), finishedAt }),
        child(0, done),
        finalize(done),
      ],
    ],
    [
      'a parent that timed out and has no deadline',
      ['S12 at p: it timed out while it waited, and has no deadline'],
      [waiting({ of: 1, status: 'timed_out', finishedAt }), child(0, bad)],
    ],
    [
      'a parent that timed out while nothing below it ended badly',
      ['S12 at p: it timed out while it waited, and nothing below it ended badly'],
      [waitingForFinalize(timedOut), child(0, done), finalize(done)],
    ],
    [
      'a child cancelled by a parent that goes on',
      ['S12 at c0: it was cancelled by p, which is waiting_for_children_tasks'],
      [waiting({ of: 2 }), child(0, finished('cancelled', byParent)), child(1, ready())],
    ],
    [
      'a closed parent that was cancelled, and a child that runs',
      ['S13 at p: it is closed, and c0 below it is running'],
      [waiting({ of: 1, status: 'cancelled', finishedAt, isClosed: true }), child(0, running())],
    ],
    [
      'the same two storeys down',
      ['S13 at p: it is closed, and leaf below it is running'],
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
  test.for(broken)('%s', ([, sentences, rows]) => {
    expect(told(checkWorld(rows))).toEqual(sentences)
  })
})

describe('where failures are tolerated', () => {
  const goesOn = (fields: Partial<ExecutionRow> = {}): ExecutionRow =>
    waiting({ of: 2, childrenTasksErrors: [errorOf(0)], childrenTasksFailedCount: 1, ...fields })
  const worlds: Array<
    [name: string, tolerated: number, sentences: Array<string>, rows: Array<ExecutionRow>]
  > = [
    ['a parent goes on', 1, [], [goesOn(), child(0, bad), child(1, ready())]],
    [
      'a parent may be completed',
      2,
      [],
      [
        goesOn({ status: 'completed', output: '', finishedAt, childrenTasksFailedCount: 2 }),
        child(0, bad),
        child(1, bad),
      ],
    ],
    [
      'a finalize execution comes when all have ended',
      1,
      [],
      [
        goesOn({
          status: 'waiting_for_finalize_task',
          finalizeTask: { taskId: 'last', executionId: 'f' },
          childrenTasksCompletedCount: 1,
        }),
        child(0, bad),
        child(1, done),
        finalize(ready()),
      ],
    ],
    [
      'not more than so many',
      1,
      ['S12 at p: it still waits for children, though one that ended badly is closed'],
      [
        goesOn({ childrenTasksErrors: [errorOf(0), errorOf(1)], childrenTasksFailedCount: 2 }),
        child(0, bad),
        child(1, bad),
      ],
    ],
    [
      'a parent does not wait when all have ended',
      2,
      ['S12 at p: it still waits for children, and all are done'],
      [goesOn({ childrenTasksCompletedCount: 1 }), child(0, bad), child(1, done)],
    ],
    [
      'each is counted',
      2,
      ['S9 at p: it counted 0 failed children, 1 have failed and are closed'],
      [goesOn({ childrenTasksFailedCount: 0 }), child(0, bad), child(1, ready())],
    ],
    [
      'each is named',
      2,
      ['S12 at p: the error of a child that is closed is missing'],
      [goesOn({ childrenTasksErrors: [] }), child(0, bad), child(1, ready())],
    ],
    [
      'a finalize execution waits for all',
      1,
      ['S11 at p: it has a finalize execution, and only 1 of 2 children are done'],
      [
        goesOn({
          status: 'waiting_for_finalize_task',
          finalizeTask: { taskId: 'last', executionId: 'f' },
        }),
        child(0, bad),
        child(1, ready()),
        finalize(ready()),
      ],
    ],
    [
      'fewer end no parent',
      1,
      ['S12 at p: it says that children failed, and only 1 did, of 1 that may'],
      [{ ...failedParent, childrenTasksErrors: [errorOf(0)] }, child(0, bad), child(1, ready())],
    ],
  ]
  test.for(worlds)('%s', ([, tolerated, sentences, rows]) => {
    expect(told(checkWorld(rows, { toleratedFailures: () => tolerated }))).toEqual(sentences)
  })
})
