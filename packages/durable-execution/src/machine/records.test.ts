/** Ids of what an execution remembers, whatever names hold, and the rows of it. */

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { LIMITS } from '../base/limits.ts'
import {
  callId,
  idPrefix,
  idRange,
  isAwaitedChild,
  isCallAmong,
  isRecord,
  recordRow,
  signalId,
  signalKeyId,
  stateId,
  timeoutId,
  tryId,
} from './records.ts'
import { child, failure, finalize, NOW, ready } from './rows.test-support.ts'

// What separates and escapes the parts of ids, what looks like a part, what sorts beside those, and what is long.
const names = fc.oneof(
  fc.string({
    unit: fc.constantFrom(':', '!', '%', ';', '0', '1', '.', 'h', 'a', '😀'),
    minLength: 1,
    maxLength: 4,
  }),
  fc.constantFrom('try', ':try:0.0', 'a:timeout', '!state', '!signal', '%3a', '%25', '1', '1:1', '%h', 'r_'),
  fc.string({ unit: fc.constantFrom(':', 'a', '%'), minLength: 90, maxLength: LIMITS.nameLength }),
)
const counts = fc.constantFrom(0, 1, 2, 10, 11)
const drawn = fc.constantFrom(
  ...Array.from({ length: 12 }, (_, digit) => `te_${digit.toString(12).repeat(32)}`),
)
const executions = fc.oneof(
  drawn,
  fc.constantFrom(
    'te_1',
    'te_12',
    'te_1:a',
    'te_1!',
    'te_1;',
    'te_1%',
    'te'.repeat(60),
    `${'te'.repeat(60)}1`,
  ),
  // Children of children, to any depth.
  fc
    .tuple(drawn, fc.array(fc.tuple(names, fc.integer({ min: 1, max: 3 })), { minLength: 1, maxLength: 3 }))
    .map(([root, way]) => way.reduce((id, [name, ordinal]) => callId(idPrefix(id), name, ordinal), root)),
)

type Place = {
  kind: 'call' | 'try' | 'timeout' | 'signal' | 'key' | 'state'
  of: string
  name: string
  ordinal: number
  attempt: number
  number: number
}

const places: fc.Arbitrary<Place> = fc.record({
  kind: fc.constantFrom('call', 'try', 'timeout', 'signal', 'key', 'state'),
  of: executions,
  name: names,
  ordinal: fc.integer({ min: 1, max: 12 }),
  attempt: counts,
  number: counts,
})

/** The id of the place, and what of the place it speaks of. */
function named({ kind, of, name, ordinal, attempt, number }: Place): {
  id: string
  says: ReadonlyArray<unknown>
} {
  const prefix = idPrefix(of)
  const call = callId(prefix, name, ordinal)
  switch (kind) {
    case 'call':
      return { id: call, says: [kind, of, name, ordinal] }
    case 'try':
      return { id: tryId(call, attempt, number), says: [kind, of, name, ordinal, attempt, number] }
    case 'timeout':
      return { id: timeoutId(call), says: [kind, of, name, ordinal] }
    case 'signal':
      return { id: signalId(prefix, name, ordinal), says: [kind, of, name, ordinal] }
    case 'key':
      return { id: signalKeyId(prefix, name, String(number)), says: [kind, of, name, number] }
    case 'state':
      return { id: stateId(prefix), says: [kind, of] }
  }
}

describe('ids, whatever names hold', () => {
  test('two places have one id only if they are one place', () => {
    fc.assert(
      fc.property(places, places, (one, other) => {
        const [first, second] = [named(one), named(other)]
        expect(first.id === second.id).toBe(JSON.stringify(first.says) === JSON.stringify(second.says))
      }),
      { numRuns: 2_000 },
    )
  })

  test('nor if only the name differs, and that a little', () => {
    fc.assert(
      fc.property(places, names, (one, name) => {
        const [first, second] = [named(one), named({ ...one, name })]
        expect(first.id === second.id).toBe(JSON.stringify(first.says) === JSON.stringify(second.says))
      }),
      { numRuns: 2_000 },
    )
  })

  test('they are as short as ids may be, at any depth', () => {
    fc.assert(
      fc.property(places, (place) => {
        expect(named(place).id.length).toBeLessThanOrEqual(255)
      }),
    )
  })

  test('all that belongs to an execution lies in its range', () => {
    fc.assert(
      fc.property(places, (place) => {
        const { from, to } = idRange(idPrefix(place.of))
        const { id } = named(place)
        expect(from <= id && id < to).toBe(true)
      }),
    )
  })

  test('what belongs to others, or is an execution itself, does not', () => {
    fc.assert(
      fc.property(places, drawn, (place, other) => {
        const { from, to } = idRange(idPrefix(other))
        const isInside = (id: string): boolean => from <= id && id < to
        fc.pre(place.of !== other)
        expect([
          isInside(named({ ...place, of: named({ ...place, kind: 'call', of: other }).id }).id),
          isInside(other),
        ]).toEqual([false, false])
        fc.pre(place.of.length >= other.length)
        expect(isInside(named(place).id)).toBe(false)
      }),
    )
  })

  test('are what they were before, as there are rows that have them', () => {
    expect(callId(idPrefix('te_1'), 'fetch: 100%!', 2)).toBe('te_1:fetch%3a 100%25%21:2')
    expect(callId('te_1', 'a\0b\r\u001B', 1)).toBe('te_1:a%0b\r\u001B:1')
    expect(tryId(callId('te_1', 'fetch', 1), 0, 3)).toBe('te_1:fetch:1:try:0.3')
    expect(timeoutId(callId('te_1', 'go', 1))).toBe('te_1:go:1:timeout')
    expect(signalId('te_1', 'go', 7)).toBe('te_1!signal:go:7')
    expect(stateId('te_1')).toBe('te_1!state')
    expect(callId(idPrefix(callId('te_1', 'part', 1)), 'step', 1)).toBe(
      'r_efd68a70f273b7aab2c81fef6c610368:step:1',
    )
    expect(callId('te_1', 'x'.repeat(101), 1)).toMatch(/^te_1:%h[0-9a-f]{32}:1$/)
  })
})

describe('whether a row is a child that code awaits', () => {
  test('an id that its parent computed says so, at any depth', () => {
    fc.assert(
      fc.property(executions, names, fc.integer({ min: 1, max: 12 }), (of, name, ordinal) => {
        const parentTask = { taskId: 'task', executionId: of }
        expect(isAwaitedChild({ executionId: callId(idPrefix(of), name, ordinal), parentTask })).toBe(true)
      }),
    )
  })

  test.for([
    ['a root is none', ready()],
    ['a root with such an id is none', ready({ executionId: 'p:part:1' })],
    ['a child that was returned is none', child(0, ready())],
    ['a finalize execution is none', finalize(ready())],
    ['a child of another parent is none', { ...child(0, ready()), executionId: 'q:part:1' }],
    [
      'a child whose id begins like that of its parent is none',
      { ...child(0, ready()), executionId: 'p1:part:1' },
    ],
    [
      'a returned child of a child is none',
      { ...ready({ executionId: 'p:part:1' }), parentTask: { taskId: 't', executionId: 'p:part:1' } },
    ],
  ] as const)('%s', ([, row]) => {
    expect(isAwaitedChild(row)).toBe(false)
  })

  test('a call is among those of its name from one ordinal to another', () => {
    fc.assert(
      fc.property(
        drawn,
        names,
        names,
        fc.nat(12),
        fc.nat(12),
        fc.nat(12),
        (of, name, other, ordinal, from, to) => {
          const id = callId(of, name, ordinal)
          expect(isCallAmong(id, { prefix: of, name, from, to })).toBe(from <= ordinal && ordinal <= to)
          expect(isCallAmong(id, { prefix: of, name: other, from: 0, to: 12 })).toBe(other === name)
        },
      ),
    )
  })

  test('what belongs to a call is not the call', () => {
    const among = { prefix: 'te_1', name: 'go', from: 0, to: 99 }
    const call = callId('te_1', 'go', 1)
    for (const id of [
      timeoutId(call),
      tryId(call, 0, 0),
      signalId('te_1', 'go', 1),
      stateId('te_1'),
      'te_1',
      'te_1:go:',
    ]) {
      expect([id, isCallAmong(id, { ...among, from: 1 })]).toEqual([id, false])
    }
  })
})

describe('the row of a record', () => {
  const of = ready({ executionId: 'te_1', depth: 3 })

  test('is finished and closed, and is no execution', () => {
    const row = recordRow(of, { executionId: 'te_1:step:1', kind: '#step', output: '42' }, NOW)
    expect(row).toMatchObject({
      parentTask: { taskId: 'task', executionId: 'te_1' },
      rootTask: { taskId: 'task', executionId: 'te_1' },
      taskId: 'task',
      runInput: '#step',
      status: 'completed',
      output: '42',
      isClosed: true,
      finishedAt: new Date(NOW),
      startAt: new Date(NOW),
    })
    expect([isRecord(row), isRecord(of)]).toEqual([true, false])
    expect(row.error).toBe(undefined)
  })

  test('is in the tree of its execution', () => {
    const below = ready({ executionId: 'c', rootTask: { taskId: 'top', executionId: 'te_0' } })
    const row = recordRow(below, { executionId: 'c:step:1', kind: '#step' }, NOW)
    expect(row.rootTask).toEqual({ taskId: 'top', executionId: 'te_0' })
  })

  test('without a value has an empty one, as all that is completed has an output', () => {
    expect(recordRow(of, { executionId: 'te_1:go:1', kind: '#wait' }, NOW)).toMatchObject({ output: '' })
  })

  test('says when what it speaks of is due, and which sending it was', () => {
    const dueAt = new Date(NOW + 5)
    const record = { executionId: 'te_1!signal:go:1', kind: '#signal', dueAt, token: 'abc' } as const
    expect(recordRow(of, record, NOW)).toMatchObject({ startAt: dueAt, runOutput: 'abc' })
  })

  test('of what went wrong has failed, with a message that is cut', () => {
    const error = failure('x'.repeat(20_000))
    const row = recordRow(of, { executionId: 'te_1:step:1:try:0.0', kind: '#try', error }, NOW)
    expect(row.status).toBe('failed')
    expect(row.error?.message).toHaveLength(LIMITS.errorMessageLength)
    expect(row.output).toBe(undefined)
  })
})
