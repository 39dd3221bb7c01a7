/** Worlds and steps at the edge of what is promised: those just inside keep every promise, those just outside do not. */

import { describe, expect, test } from 'vitest'

import { LIMITS } from '../base/limits.ts'
import { type ExecutionRow } from './execution.ts'
import { historyOf } from './history.ts'
import { checkStep, checkWorld, type Violation } from './invariants.ts'
import { cancelled, claimed, completed, lost, renewed } from './events.test-support.ts'
import {
  child,
  failure,
  finalize,
  finished,
  leaseNamed,
  NOW,
  ready,
  running,
  waiting,
  waitingForFinalize,
} from './rows.test-support.ts'
import { at, stepFrom, told } from './told.test-support.ts'

const KEPT = LIMITS.childrenErrorsKept
const finishedAt = new Date(NOW)
const done = finished('completed', { isClosed: true })
const bad = finished('failed', { isClosed: true })
const ended = { finishedAt, isClosed: true }
const finalizeTaskError = failure('No luck')

/** A parent with so many children that failed, of which so many are named. */
function failedParent(count: number, named: number): Array<ExecutionRow> {
  const children = Array.from({ length: count }, (_, index) => child(index, bad))
  const childrenTasksErrors = children.slice(0, named).map(({ executionId, taskId }, index) => ({
    index,
    taskId,
    executionId,
    error: failure('No luck'),
  }))
  return [waiting({ of: count, status: 'children_tasks_failed', childrenTasksErrors, ...ended }), ...children]
}

describe('worlds just inside', () => {
  test.for<[string, () => Array<ExecutionRow>]>([
    [
      'a row that finished in the instant it started',
      () => [finished('failed', { startedAt: finishedAt, finishedAt })],
    ],
    ['a child whose parent is not there', () => [child(0, ready())]],
    [
      'a parent that its finalize execution completed',
      () => [
        waitingForFinalize({ status: 'completed', output: '', ...ended }),
        child(0, done),
        finalize(done),
      ],
    ],
    [
      'a parent that its finalize execution failed',
      () => [
        waitingForFinalize({ status: 'finalize_task_failed', finalizeTaskError, ...ended }),
        child(0, done),
        finalize(bad),
      ],
    ],
    [
      'a parent of good children that failed by itself',
      () => [
        waiting({ of: 1, counted: 1, status: 'children_tasks_failed', error: failure('Too deep'), ...ended }),
        child(0, done),
      ],
    ],
    [
      'a parent that names as many errors as are kept, and not the others',
      () => failedParent(KEPT + 1, KEPT),
    ],
  ])('%s', ([, rows]) => {
    expect(told(checkWorld(rows()))).toEqual([])
  })
})

describe('worlds just outside', () => {
  const { childrenTasks: _, ...withoutList } = waiting({ of: 1 })
  test.for<[string, Array<string>, () => Array<ExecutionRow>]>([
    [
      'a row that is active and has an end',
      ['S1 at x: it is ready with finishedAt'],
      () => [ready({ finishedAt })],
    ],
    [
      'a finalize execution of a parent that does not name it',
      [
        'S11 at p: it has a finalize execution, and only 0 of 1 children are done',
        'S10 at f: it is not the finalize execution of p',
      ],
      () => [waiting({ of: 1 }), child(0, ready()), finalize(ready())],
    ],
    [
      'a parent that nobody ran and that has children',
      ['S8 at p: it is ready and has rows below it', 'S8 at c0: p does not list it among its children'],
      () => [ready({ executionId: 'p' }), child(0, ready())],
    ],
    [
      'a parent that runs and has a finalize execution',
      ['S8 at p: it is running and has rows below it', 'S10 at f: it is not the finalize execution of p'],
      () => [running({ executionId: 'p' }), finalize(ready())],
    ],
    [
      'a parent that waits and lists nobody',
      ['S8 at p: it waits for 0 children, and 0 are there'],
      () => [withoutList],
    ],
    [
      'a parent that waits for others than are there',
      [
        'S8 at p: it waits for 2 children, and 2 are there',
        'S8 at c7: p does not list it among its children',
      ],
      () => [waiting({ of: 2 }), child(0, ready()), child(7, ready())],
    ],
    [
      'a completed parent whose finalize execution is not there',
      ['S12 at p: it is completed, and its finalize execution is not'],
      () => [waitingForFinalize({ status: 'completed', output: '', ...ended }), child(0, done)],
    ],
    [
      'a parent failed by a finalize execution that is not there',
      ['S12 at p: it says that its finalize execution failed, which it did not'],
      () => [
        waitingForFinalize({ status: 'finalize_task_failed', finalizeTaskError, ...ended }),
        child(0, done),
      ],
    ],
    [
      'a parent failed by its finalize execution that does not say how',
      ['S12 at p: it says that its finalize execution failed, which it did not'],
      () => [waitingForFinalize({ status: 'finalize_task_failed', ...ended }), child(0, done), finalize(bad)],
    ],
    [
      'a parent that names more errors than are kept',
      [`S12 at p: it names ${KEPT + 1} children in ${KEPT + 1} errors`],
      () => failedParent(KEPT + 1, KEPT + 1),
    ],
  ])('%s', ([, sentences, rows]) => {
    expect(told(checkWorld(rows()))).toEqual(sentences)
  })
})

describe('steps just inside', () => {
  const none = { now: NOW, events: [], history: new Map() }
  const cancelledThenCompleted = new Map([['x', { ...historyOf(new Map(), 'x'), isCancelled: true }]])
  test.for<[string, () => Array<Violation>]>([
    [
      'what was cancelled stays so',
      () => stepFrom(finished('cancelled'), finished('cancelled'), [], { isCancelled: true }),
    ],
    ['an event of another row', () => stepFrom(ready(), ready(), [completed({ of: 'y' })])],
    [
      'an error that is the same in another object',
      () => stepFrom(bad, { ...bad, error: failure('No luck') }, []),
    ],
    [
      'rows appear beside a finished one',
      () => checkStep(at(done), at(done, ready({ executionId: 'y' })), none),
    ],
    [
      'a row appears that runs already',
      () => checkStep(at(done), at(done, running({ executionId: 'y' })), none),
    ],
    [
      'a row that nothing touched is not looked at',
      () =>
        checkStep(at(done), at(done), {
          now: NOW,
          events: [cancelled({ of: 'y' })],
          history: cancelledThenCompleted,
        }),
    ],
  ])('%s', ([, step]) => {
    expect(told(step())).toEqual([])
  })
})

describe('steps just outside', () => {
  const odd = ready({ status: 'odd' as ExecutionRow['status'] })
  const { finishedAt: _, ...withoutEnd } = finished('failed')
  const { startedAt: __, ...withoutStart } = running()
  const second = running({ lease: 'second' })
  const early = 'S4 at x: a loss was accepted of a row whose lease had not lapsed'
  test.for<[string, Array<string>, () => Array<Violation>]>([
    ['a status that nobody knows', ['S2 at x: odd became ready'], () => stepFrom(odd, ready(), [])],
    [
      'an outcome of a row that does not run any more',
      ['S4 at x: succeeded was accepted from first, which did not hold the row'],
      () => stepFrom(done, done, [completed()]),
    ],
    [
      'an event of a lease that did not hold the row, beside one of another row',
      ['S4 at x: renewed was accepted from first, which did not hold the row'],
      () => stepFrom(second, second, [completed({ of: 'y' }), renewed()]),
    ],
    [
      'an end that there was not',
      ['S1 at x: finishedAt changed'],
      () => stepFrom(withoutEnd, finished('failed'), []),
    ],
    [
      'another runOutput alone',
      ['S1 at x: an output changed'],
      () => stepFrom(done, { ...done, runOutput: 'other' }, []),
    ],
    [
      'an error of another type',
      ['S1 at x: an error changed'],
      () => stepFrom(bad, { ...bad, error: failure('No luck', { errorType: 'timed_out' }) }, []),
    ],
    [
      'an error that there was not',
      ['S1 at x: an error changed'],
      () => stepFrom(done, { ...done, error: failure('No luck') }, []),
    ],
    [
      'another error of the finalize execution',
      ['S1 at x: an error changed'],
      () => stepFrom(bad, { ...bad, finalizeTaskError }, []),
    ],
    ['a loss of a row that has no lease', [early], () => stepFrom(ready(), ready(), [lost()])],
    [
      'a loss in the very instant of the deadline',
      [early],
      () => stepFrom(running({ expiresAt: new Date(NOW) }), ready(leaseNamed('first')), [lost()]),
    ],
    [
      'a claim that says no start',
      ['S5 at x: startedAt is not later than that of an earlier claim'],
      () => stepFrom(ready(), withoutStart, [claimed()]),
    ],
  ])('%s', ([, sentences, step]) => {
    expect(told(step())).toEqual(sentences)
  })
})
