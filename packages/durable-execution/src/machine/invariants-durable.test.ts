/** Worlds and steps of durable code: sound ones keep every promise, and those that break one are found out. */

import { describe, expect, test } from 'vitest'

import {
  forChildren,
  forSignal,
  forSleep,
  newSignal,
  newStep,
  part,
  record,
  resumed,
  waitingFor,
  withParts,
} from './durable-dsl.test-support.ts'
import { type ExecutionRow } from './execution.ts'
import { checkWorld } from './invariants.ts'
import { stateId } from './records.ts'
import { child, failure, finished, NOW, ready, running, waiting } from './rows.test-support.ts'
import { told } from './told.test-support.ts'

const closed = { isClosed: true }
const done = (ordinal: number): ExecutionRow => part(ordinal, finished('completed', closed))
const bad = (ordinal: number): ExecutionRow => part(ordinal, finished('failed', closed))
const due = { startAt: new Date(NOW) }
const step = record(newStep())
const signal = record(newSignal())
const state = record({ executionId: stateId('x'), kind: '#state', output: 'begun' })
const suspendedParent = { ...waitingFor(forChildren({ of: 2 })), ...withParts(2) }
const returned = waiting({ of: 1, executionId: 'x', taskId: 'task' })
const returnedChild = { ...child(0, running()), parentTask: { taskId: 'task', executionId: 'x' } }
const byParent = {
  isClosed: true,
  error: failure('Parent task task with execution id x failed: it ended without waiting for it', {
    errorType: 'cancelled',
  }),
}

describe('worlds that keep every promise', () => {
  test.for<[string, Array<ExecutionRow>]>([
    ['what an execution remembers', [running(), step, signal, state]],
    ['what it remembers when it has ended', [finished('failed', closed), step, signal, state]],
    ['one that waits for a signal that has not come', [waitingFor(forSignal())]],
    ['one that waits for the second signal', [waitingFor(forSignal({ ordinal: 2 })), signal]],
    ['one that a signal made due', [{ ...waitingFor(forSignal()), ...due }, signal]],
    ['one that runs, and waited for a signal before', [resumed(forSignal()), signal]],
    ['one that sleeps', [{ ...waitingFor(forSleep(NOW + 5)), startAt: new Date(NOW + 5) }]],
    ['one whose sleep is over', [{ ...waitingFor(forSleep(NOW - 5)), ...due }]],
    [
      'one that waits for two children',
      [suspendedParent, part(1, running()), part(2, finished('completed'))],
    ],
    [
      'one that waits for one more child',
      [{ ...suspendedParent, suspendedFor: [forChildren({ of: 2, left: 1 })] }, done(1), part(2, ready())],
    ],
    [
      'one that a child made due by its failure',
      [
        { ...suspendedParent, ...due, suspendedFor: [forChildren({ of: 2, left: 1 })] },
        bad(1),
        part(2, ready()),
      ],
    ],
    ['one that runs while its children do', [running(withParts(1)), part(1, running())]],
    [
      'one that is put off for a retry while its child runs',
      [ready({ ...withParts(1), suspendedFor: [] }), part(1, ready())],
    ],
    [
      'one that is completed, open, and has left a child behind',
      [finished('completed', withParts(1)), part(1, running())],
    ],
    [
      'one that is completed and closed, and whose child it has cancelled',
      [finished('completed', { ...withParts(1), ...closed }), part(1, finished('cancelled', byParent))],
    ],
    [
      'one that waits for children that it returned, and has awaited others',
      [returned, returnedChild, bad(1)],
    ],
    [
      'children that failed do not fail the one that awaits them',
      [finished('completed', { ...withParts(1), ...closed }), bad(1)],
    ],
  ])('%s', ([, rows]) => {
    expect(told(checkWorld(rows, { now: NOW }))).toEqual([])
  })
})

describe('worlds that break a promise', () => {
  const late = { startAt: new Date(NOW + 6) }
  test.for<[string, Array<string>, Array<ExecutionRow>]>([
    [
      'a signal that came, and woke nobody',
      ['S21 at x: it waits for signal go:1, which has come, and is not due'],
      [waitingFor(forSignal()), signal],
    ],
    [
      'the second of two waits is not looked at',
      ['S21 at x: it waits for signal go:1, which has come, and is not due'],
      [waitingFor(forSignal({ name: 'stop' }), forSignal()), signal],
    ],
    [
      'a sleep that is due too late',
      ['S21 at x: it waits for the sleep nap, and is due later than that is over'],
      [{ ...waitingFor(forSleep(NOW + 5)), ...late }],
    ],
    [
      'a wait that times out too late',
      ['S21 at x: it waits for signal go:1, and is due later than that is over'],
      [{ ...waitingFor(forSignal({ until: NOW - 5 })), ...late }],
    ],
    [
      'children that have all ended, and woke nobody',
      ['S21 at x: it waits for children part:1 to 2, of which enough have ended, and is not due'],
      [{ ...suspendedParent, suspendedFor: [forChildren({ of: 2, left: 0 })] }, done(1), done(2)],
    ],
    [
      'a child that failed, and woke nobody',
      ['S21 at x: it waits for children part:1 to 2, of which enough have ended, and is not due'],
      [{ ...suspendedParent, suspendedFor: [forChildren({ of: 2, left: 1 })] }, bad(1), part(2, running())],
    ],
    [
      'a child that ended, and is not counted down',
      ['S21 at x: it waits for 2 of its children part, and 1 have not ended'],
      [suspendedParent, done(1), part(2, running())],
    ],
    [
      'a child that is counted down, and is not closed',
      ['S21 at x: it waits for 1 of its children part, and 2 have not ended'],
      [
        { ...suspendedParent, suspendedFor: [forChildren({ of: 2, left: 1 })] },
        part(1, finished('completed')),
        part(2, running()),
      ],
    ],
    [
      'a finished execution that waits',
      ['S21 at x: it is completed, and says that it waits for signal go:1, the sleep nap'],
      [finished('completed', { suspendedFor: [forSignal(), forSleep(NOW)] })],
    ],
    [
      'a parent that waits for what it returned and for something else',
      ['S21 at x: it is waiting_for_children_tasks, and says that it waits for children part:1 to 2'],
      [{ ...returned, suspendedFor: [forChildren({ of: 2 })] }, returnedChild],
    ],
    [
      'a child that code awaits and that is not listed',
      ['S8 at x:part:1: x does not list it among its children'],
      [running(), part(1, running())],
    ],
    [
      'the same of one that has ended, while its parent may still end',
      ['S8 at x:part:1: x does not list it among its children'],
      [running(), done(1)],
    ],
    [
      'a parent that waits for what it returned while others are at work',
      [
        'S8 at x: it is waiting_for_children_tasks, and x:part:1, which its code started, is open',
        'S8 at x:part:1: x does not list it among its children',
      ],
      [returned, returnedChild, part(1, running())],
    ],
    [
      'a child that code awaits and that is counted as returned',
      ['S9 at x: it counted 1 children, 0 are completed and closed'],
      [running({ ...withParts(1), childrenTasksCompletedCount: 1 }), done(1)],
    ],
    [
      'a child that runs below a completed parent that is closed',
      ['S13 at x: it is closed, and x:part:1 below it is running'],
      [finished('completed', { ...withParts(1), ...closed }), part(1, running())],
    ],
    [
      'a child cancelled by a parent that goes on',
      ['S12 at x:part:1: it was cancelled by x, which is running'],
      [running(withParts(1)), part(1, finished('cancelled', byParent))],
    ],
    [
      'a record that is open',
      ['S22 at x:step:1: it is a record, and completed, open'],
      [running(), { ...step, isClosed: false }],
    ],
    [
      'a record that is active',
      ['S22 at x:step:1: it is a record, and ready, closed'],
      [running(), { ...step, status: 'ready' }],
    ],
    [
      'a record that was cancelled',
      ['S22 at x:step:1: it is a record, and cancelled, closed'],
      [running(), { ...step, status: 'cancelled' }],
    ],
  ])('%s', ([, sentences, rows]) => {
    expect(told(checkWorld(rows, { now: NOW }))).toEqual(sentences)
  })

  test('the present is when a row was written last, unless it is given', () => {
    const row = { ...waitingFor(forSignal()), startAt: new Date(NOW) }
    const sentence = 'S21 at x: it waits for signal go:1, which has come, and is not due'
    expect(told(checkWorld([row, signal]))).toEqual([sentence])
    expect(told(checkWorld([{ ...row, updatedAt: new Date(NOW) }, signal]))).toEqual([])
    expect(told(checkWorld([row, signal, ready({ executionId: 'y', updatedAt: new Date(NOW) })]))).toEqual([])
  })
})
