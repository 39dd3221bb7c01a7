/** Children that code starts, beside those that it returns: what is left of them when their parent ends. */

import { describe, expect, test } from 'vitest'

import {
  forChildren,
  newPart,
  part,
  recorded,
  resumed,
  untold,
  withParts,
} from './durable-dsl.test-support.ts'
import { decide } from './family.ts'
import { mayHaveOpenBelow } from './parent.ts'
import { cancelled, closed, completed, failed, fannedOut, newChild } from './events.test-support.ts'
import { finished, leaseNamed, NOW, running, waiting } from './rows.test-support.ts'
import { given, planWithoutFinalize } from './testing-dsl.test-support.ts'

const started = running(withParts(2))
const atWork =
  'Task task returned while children that it started by ctx.runTask were at work. Await them before it returns, or return them as children.'

describe('what may be open below an execution that has ended', () => {
  test.for(['completed', 'failed', 'timed_out', 'cancelled'] as const)(
    'one that started children in code may have some, though it is %s',
    (status) => {
      expect(mayHaveOpenBelow(finished(status, withParts(1)))).toBe(true)
      expect(mayHaveOpenBelow(untold(finished(status, withParts(1))))).toBe(true)
    },
  )

  test.for(['completed', 'failed', 'timed_out', 'cancelled'] as const)(
    'one that started none, and is %s, has none',
    (status) => {
      expect(mayHaveOpenBelow(finished(status))).toBe(false)
    },
  )

  test('one whose returned children are all counted has none', () => {
    expect(mayHaveOpenBelow(waiting({ of: 2, counted: 2, status: 'completed' }))).toBe(false)
  })

  test.for([
    ['returns', completed(), 'completed'],
    ['fails', failed(), 'failed'],
    ['is cancelled', cancelled(), 'cancelled'],
  ] as const)('a run that %s is not closed before what it started', ([, event, status]) => {
    given(started).when(event).thenIs('x', { status, isClosed: false })
    given(finished(status, withParts(2)))
      .when(closed({ isBelowClosed: false }))
      .thenRefused('below_open')
    given(finished(status, withParts(2)))
      .when(closed())
      .thenIs('x', { isClosed: true })
  })

  test('a run that starts children and returns in one transaction is not closed before them', () => {
    const then = given(running()).when(recorded({ children: [newPart(1)] }), completed())
    then.thenIs('x', { status: 'completed', isClosed: false })
  })
})

describe('a run that returns children after it has started some in code', () => {
  const closedPart = (ordinal: number): ReturnType<typeof part> =>
    part(ordinal, finished('completed', { isClosed: true }))

  test('goes on with those alone, once the others have ended', () => {
    const then = given(started)
      .where({ stored: [closedPart(1), part(2, finished('failed', { isClosed: true }))] })
      .when(fannedOut({ of: 'x', children: [newChild(0)] }))
    then.thenIs('x', {
      status: 'waiting_for_children_tasks',
      childrenTasks: [{ taskId: 'child', executionId: 'c0' }],
      childrenTasksCount: 1,
    })
  })

  test('goes on without any, once those have ended', () => {
    given(started)
      .where({ plan: planWithoutFinalize, stored: [closedPart(1), closedPart(2)] })
      .when(fannedOut({ of: 'x' }))
      .thenIs('x', { status: 'completed', childrenTasks: [], isClosed: true })
  })

  test.for([
    ['runs', running()],
    ['has ended, and has not been closed', finished('completed')],
  ] as const)('fails if one of those %s, and lists them still, for the cascade', ([, row]) => {
    const then = given({ ...started, retryOptions: { maxAttempts: 5 } })
      .where({ stored: [closedPart(1), part(2, row)] })
      .when(fannedOut({ of: 'x', children: [newChild(0)] }))
    then.thenIs('x', { status: 'failed', isClosed: false, ...withParts(2) })
    expect(then.row().error).toMatchObject({ message: atWork, isRetryable: false })
    expect(then.decision.inserts).toEqual([])
  })

  test('fails if it returns none, too', () => {
    given(started)
      .where({ plan: planWithoutFinalize, stored: [closedPart(1), part(2, running())] })
      .when(fannedOut({ of: 'x' }))
      .thenIs('x', { status: 'failed' })
  })

  test('does not mind one that it could not start', () => {
    given(started)
      .where({ stored: [closedPart(1)] })
      .when(fannedOut({ of: 'x', children: [newChild(0)] }))
      .thenIs('x', { status: 'waiting_for_children_tasks' })
  })

  test('is asked for their list where that was not read', () => {
    const { childrenTasks: _, ...lean } = started
    const rules = {
      now: NOW,
      planOf: () => planWithoutFinalize,
      newExecutionId: () => 'f',
      outputs: new Map(),
      failedCounts: new Map(),
    }
    const rows = new Map([['x', lean]])
    const event = fannedOut({ of: 'x', children: [newChild(0)] })
    const nothing = { fanIns: new Map(), known: new Map() }
    expect(decide({ rows }, [event], { ...rules, ...nothing })).toMatchObject({ fanInIds: ['x'], rowIds: [] })
    const facts = { runInput: '', runOutput: '', children: started.childrenTasks ?? [] }
    expect(
      decide({ rows }, [event], { ...rules, ...nothing, fanIns: new Map([['x', facts]]) }),
    ).toMatchObject({
      rowIds: ['x:part:1', 'x:part:2'],
    })
  })

  test('says no more what it waited for before', () => {
    given({ ...resumed(forChildren({ of: 1 })), ...withParts(1) })
      .where({ stored: [closedPart(1)] })
      .when(fannedOut({ of: 'x', children: [newChild(0)] }))
      .thenIs('x', { status: 'waiting_for_children_tasks', suspendedFor: [] })
  })

  test('is told of what ends late among those by nobody: they had ended before', () => {
    const parent = waiting({ of: 1, executionId: 'x', taskId: 'task', ...leaseNamed('first') })
    const then = given(parent, part(1, finished('completed'))).when(closed({ of: 'x:part:1' }))
    expect([then.decision.updates.has('x'), then.row('x:part:1').isClosed]).toEqual([false, true])
  })
})
