/** What a run remembers on its way, and how it is left while it waits. */

import { describe, expect, test } from 'vitest'

import { LIMITS } from '../base/limits.ts'
import {
  forChildren,
  forSignal,
  forSleep,
  newPart,
  newSignal,
  newStep,
  part,
  record,
  recorded,
  resumed,
  suspended,
  waitingFor,
  withParts,
} from './durable-dsl.test-support.ts'
import { type DurableSuspensionStorageObject } from './execution.ts'
import { type NewRecord, stateId } from './records.ts'
import { failure, finished, leaseNamed, NOW, ready, running } from './rows.test-support.ts'
import { given, type Then } from './testing-dsl.test-support.ts'

const timeout: NewRecord = {
  executionId: 'x:go:1:timeout',
  kind: '#timeout',
  unless: newSignal().executionId,
}

function insertedIds({ decision }: Then): Array<string> {
  return decision.inserts.map(({ executionId }) => executionId)
}

describe('a run that goes on', () => {
  test('writes what it remembers, and keeps its lease', () => {
    const then = given(running()).when(recorded({ records: [newStep('fetch', '42')] }))
    then.thenIs('x', { status: 'running', ...leaseNamed('first'), expiresAt: new Date(NOW + 30_000) })
    expect(then.decision.inserts).toMatchObject([
      { executionId: 'x:fetch:1', runInput: '#step', status: 'completed', output: '42', isClosed: true },
    ])
  })

  test('changes nothing of its row but the moment', () => {
    const then = given(running()).when(recorded({ records: [newStep()] }))
    expect(then.decision.updates).toEqual(new Map([['x', { updatedAt: new Date(NOW) }]]))
  })

  test('starts children, and lists them after those that it started before', () => {
    const { childrenTasks = [] } = withParts(2)
    const then = given(running({ ...withParts(1), childrenTasksCompletedCount: 0 })).when(
      recorded({ children: [newPart(2)], childrenTasks }),
    )
    then.thenIs('x', { status: 'running', childrenTasks, childrenTasksCount: 2 })
    expect(then.decision.inserts).toMatchObject([
      {
        executionId: 'x:part:2',
        status: 'ready',
        depth: 2,
        parentTask: { taskId: 'task', executionId: 'x' },
        rootTask: { taskId: 'task', executionId: 'x' },
      },
    ])
    expect(then.decision.inserts[0]).not.toHaveProperty('childIndex')
  })

  test('that starts no children leaves the list as it is', () => {
    const then = given(running(withParts(1))).when(recorded({ records: [newStep()] }))
    then.thenIs('x', withParts(1))
  })

  test('that has lost its lease writes nothing', () => {
    given(running({ lease: 'second' }))
      .when(recorded({ records: [newStep()], children: [newPart(1)], state: { output: '1', isThere: true } }))
      .thenRefused('stale')
  })

  test.for([ready(leaseNamed('first')), waitingFor(forSignal()), finished('completed')])(
    'that is over, as its row is $status, writes nothing, though the lease was its own',
    (row) => {
      given(row)
        .when(recorded({ records: [newStep()] }))
        .thenRefused('stale')
    },
  )
})

describe('the state of a run', () => {
  const executionId = stateId('x')
  const state = record({ executionId, kind: '#state', output: 'begun' })

  test('is a record the first time', () => {
    const then = given(running()).when(recorded({ state: { output: 'half', isThere: false } }))
    expect(then.decision.inserts).toMatchObject([
      { executionId, runInput: '#state', output: 'half', isClosed: true },
    ])
    expect(then.decision.updates.has(executionId)).toBe(false)
  })

  test('is changed from then on', () => {
    const then = given(running())
      .where({ stored: [state] })
      .when(recorded({ state: { output: 'half', isThere: true } }))
    expect(then.decision.inserts).toEqual([])
    expect(then.decision.updates.get(executionId)).toEqual({ output: 'half', updatedAt: new Date(NOW) })
  })

  test('is written along with the suspension', () => {
    const then = given(running()).when(suspended({ state: { output: 'half', isThere: false } }))
    expect(insertedIds(then)).toEqual([executionId])
  })

  test.for([
    ['is changed by a repetition of the write that made it', [state], 0, 1],
    ['is made by a repetition of a write that did not come through', [], 1, 0],
  ] as const)('%s', ([, stored, inserts, updates]) => {
    const { decision } = given(running())
      .where({ stored: [...stored] })
      .when(recorded({ state: { output: 'half', isThere: false }, mayExist: true }))
    expect([decision.inserts.length, decision.updates.size - 1]).toEqual([inserts, updates])
  })
})

describe('a write that is repeated', () => {
  const writes = { records: [newStep('a'), newStep('b')], children: [newPart(1), newPart(2)], mayExist: true }
  const there = [record(newStep('a')), part(2, running())]

  test('leaves out what is there', () => {
    const then = given(running()).where({ stored: there }).when(recorded(writes))
    expect(insertedIds(then)).toEqual(['x:b:1', 'x:part:1'])
  })

  test('leaves out what is there when the run is left, too', () => {
    const then = given(running()).where({ stored: there }).when(suspended(writes))
    expect(insertedIds(then)).toEqual(['x:b:1', 'x:part:1'])
  })

  test('lists all its children all the same', () => {
    const then = given(running())
      .where({ stored: [part(1, running()), part(2, running())] })
      .when(recorded(writes))
    then.thenIs('x', { childrenTasksCount: 2 })
  })

  test('reads nothing of what it did not write', () => {
    const then = given(running()).when(recorded({ records: [newStep()], mayExist: false }))
    expect(insertedIds(then)).toEqual(['x:step:1'])
  })
})

describe('a record that another one keeps out', () => {
  test('is written while that is not there', () => {
    expect(insertedIds(given(running()).when(recorded({ records: [timeout] })))).toEqual([
      timeout.executionId,
    ])
  })

  test('is not written once it is there', () => {
    const then = given(running())
      .where({ stored: [record(newSignal())] })
      .when(recorded({ records: [timeout] }))
    expect(insertedIds(then)).toEqual([])
  })
})

describe('a run that is left', () => {
  test('is ready, without a lease, and says what it waits for', () => {
    const waitsFor = [forSignal(), forSleep(NOW + 5_000)]
    const then = given(running({ losses: 2, retryAttempts: 1, error: failure('No luck') })).when(
      suspended({ waitsFor }),
    )
    then.thenIs('x', {
      status: 'ready',
      suspendedFor: waitsFor,
      losses: 0,
      retryAttempts: 1,
      error: failure('No luck'),
      ...leaseNamed('first'),
    })
    expect(then.row().expiresAt).toBe(undefined)
  })

  test.for<[string, Array<DurableSuspensionStorageObject>, number]>([
    ['for a sleep, when that is over', [forSleep(NOW + 5_000)], 5_000],
    ['for a sleep that is over, at once', [forSleep(NOW - 5)], -5],
    ['for the next try of a step, when that is due', [{ kind: 'step', name: 'fetch', until: NOW + 7 }], 7],
    ['for a signal with a time limit, when that is over', [forSignal({ until: NOW + 9 })], 9],
    ['for several, when the first is over', [forSleep(NOW + 50), forSignal({ until: NOW + 9 })], 9],
    ['for a signal without a time limit, in a hundred years', [forSignal()], LIMITS.delayMs],
    ['for children, in a hundred years', [forChildren({ of: 2 })], LIMITS.delayMs],
    ['for a sleep longer than any, in a hundred years', [forSleep(NOW + 2 * LIMITS.delayMs)], LIMITS.delayMs],
  ])('is due, if it waits %s', ([, waitsFor, ms]) => {
    given(running())
      .when(suspended({ waitsFor }))
      .thenIs('x', { startAt: new Date(NOW + ms) })
  })

  test('writes what it remembers, and starts children', () => {
    const then = given(running()).when(
      suspended({ waitsFor: [forChildren({ of: 1 })], records: [newStep()], children: [newPart(1)] }),
    )
    then.thenIs('x', withParts(1))
    expect(insertedIds(then)).toEqual(['x:step:1', 'x:part:1'])
  })

  test('that has lost its lease is not left, and writes nothing', () => {
    given(running({ lease: 'second' }))
      .when(suspended({ records: [newStep()] }))
      .thenRefused('stale')
  })

  test('in place of what it waited for before waits for what it waits for now', () => {
    given(resumed(forSleep(NOW - 1), forSignal()))
      .when(suspended())
      .thenIs('x', { suspendedFor: [forSignal()] })
  })
})
