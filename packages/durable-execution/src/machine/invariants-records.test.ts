/** Steps of durable code: those of the rules keep every promise, and those that break one are found out. */

import { describe, expect, test } from 'vitest'

import {
  forChildren,
  forSignal,
  newPart,
  newSignal,
  newStep,
  part,
  record,
  recorded,
  signalled,
  suspended,
  waitingFor,
  withParts,
} from './durable-dsl.test-support.ts'
import { type ExecutionEvent, type OutsideEvent } from './event.ts'
import { type ExecutionRow } from './execution.ts'
import { checkStep, checkWorld, type Violation } from './invariants.ts'
import { stateId } from './records.ts'
import { completed, parentEnded, released } from './events.test-support.ts'
import { failure, finished, NOW, ready, running } from './rows.test-support.ts'
import { given } from './testing-dsl.test-support.ts'
import { at, stepFrom, told } from './told.test-support.ts'

const step = record(newStep())
const signal = record(newSignal())
const state = record({ executionId: stateId('x'), kind: '#state', output: 'begun' })
const suspendedParent = { ...waitingFor(forChildren({ of: 2 })), ...withParts(2) }
const byParent = {
  isClosed: true,
  error: failure('Parent task task with execution id x failed: it ended without waiting for it', {
    errorType: 'cancelled',
  }),
}

describe('steps that the rules make keep every promise', () => {
  const awaiting = suspended({ waitsFor: [forChildren({ of: 1 })], children: [newPart(1)] })
  test.for<[string, ReadonlyArray<ExecutionRow>, ReadonlyArray<OutsideEvent>]>([
    ['a step is remembered', [running()], [recorded({ records: [newStep()] })]],
    ['the state is said', [running()], [recorded({ state: { output: 'half', isThere: false } })]],
    ['the state changes', [running(), state], [recorded({ state: { output: 'half', isThere: true } })]],
    ['a run is left', [running()], [suspended({ records: [newStep()] })]],
    ['a run is left after the signal came', [running(), signal], [suspended()]],
    ['a run is left for a child', [running()], [awaiting]],
    ['a signal comes', [waitingFor(forSignal())], [signalled()]],
    ['a signal comes for nobody', [ready()], [signalled()]],
    [
      'a child ends',
      [suspendedParent, part(1, running()), part(2, running())],
      [completed({ of: 'x:part:1' })],
    ],
    [
      'both children end',
      [suspendedParent, part(1, running()), part(2, running())],
      [completed({ of: 'x:part:1' }), completed({ of: 'x:part:2' })],
    ],
    ['a run returns, and leaves a child behind', [running(withParts(1)), part(1, running())], [completed()]],
    [
      'a child is cancelled as its parent has ended',
      [finished('completed', withParts(1)), part(1, running())],
      [parentEnded({ of: 'x:part:1', message: byParent.error.message })],
    ],
  ])('%s', ([, rows, events]) => {
    const records = rows.filter((row) => row.timeoutMs === 0)
    const { decision } = given(...rows.filter((row) => row.timeoutMs > 0))
      .where({ stored: records })
      .when(...events)
    const before = at(...rows)
    const after = new Map(before)
    for (const [id, row] of before) {
      const update = decision.updates.get(id)
      after.set(
        id,
        (decision.rows.get(id) as ExecutionRow | undefined) ?? {
          ...row,
          ...(update?.output === undefined ? {} : { output: update.output }),
        },
      )
    }
    decision.inserts.forEach((row) => after.set(row.executionId, row))
    expect(told(checkStep(before, after, { now: NOW, events, history: new Map() }))).toEqual([])
    expect(told(checkWorld(after.values(), { now: NOW }))).toEqual([])
  })
})

describe('steps that break a promise', () => {
  const inserted = (
    of: ExecutionRow,
    row: ExecutionRow,
    ...events: Array<ExecutionEvent>
  ): Array<Violation> => checkStep(at(of), at(of, row), { now: NOW, events, history: new Map() })
  const second = running({ lease: 'second' })
  test.for<[string, Array<string>, () => Array<Violation>]>([
    [
      'a record that nobody wrote',
      ['S22 at x:step:1: it was written, and no event of x says so'],
      () => inserted(running(), step),
    ],
    [
      'a record that another event wrote',
      ['S22 at x:step:1: it was written, and no event of x says so'],
      () => inserted(running(), step, recorded({ records: [newStep('other')] })),
    ],
    [
      'a record that an event of another execution wrote',
      ['S22 at x:step:1: it was written, and no event of x says so'],
      () => inserted(running(), step, recorded({ of: 'y', records: [newStep()] })),
    ],
    [
      'a state that was not said',
      ['S22 at x!state: it was written, and no event of x says so'],
      () => inserted(running(), state, recorded({ records: [newStep()] })),
    ],
    [
      'a record of a run that has lost its lease',
      ['S4 at x: recorded was accepted from first, which did not hold the row'],
      () => inserted(second, step, recorded({ records: [newStep()] })),
    ],
    [
      'a record of a run that is over',
      ['S4 at x: suspended was accepted from first, which did not hold the row'],
      () => inserted(waitingFor(forSignal()), step, suspended({ records: [newStep()] })),
    ],
    [
      'a signal to a finished execution',
      ['S22 at x!signal:go:1: it was sent to x, which is completed'],
      () => inserted(finished('completed'), signal, signalled()),
    ],
    [
      'a signal to an execution that is not there',
      ['S22 at x!signal:go:1: it was sent to x, which is not there'],
      () => checkStep(new Map(), at(signal), { now: NOW, events: [signalled()], history: new Map() }),
    ],
    [
      'a record that was written over',
      ['S22 at x:step:1: it is a record, and was changed'],
      () => stepFrom(step, { ...step, output: 'other' }, []),
    ],
    [
      'a record that is due at another time',
      ['S22 at x:step:1: it is a record, and was changed'],
      () => stepFrom(step, { ...step, startAt: new Date(NOW) }, []),
    ],
    [
      'a state of which more changes than what it says',
      ['S22 at x!state: it is a record, and was changed'],
      () => stepFrom(state, { ...state, output: 'half', isClosed: false }, []),
    ],
    [
      'a record that disappears',
      ['S16 at x:step:1: the row disappeared'],
      () => checkStep(at(step), at(), { now: NOW, events: [], history: new Map() }),
    ],
    [
      'a run that is left without its lease',
      ['S4 at x: suspended was accepted from first, which did not hold the row'],
      () =>
        stepFrom(second, { ...waitingFor(forSignal()), startedAt: second.startedAt ?? new Date(NOW) }, [
          suspended(),
        ]),
    ],
    [
      'a run that is left by nobody',
      ['S4 at x: running became ready, and nobody with a right to it did that'],
      () => stepFrom(running(), waitingFor(forSignal()), []),
    ],
  ])('%s', ([, sentences, broken]) => {
    expect(told(broken())).toEqual(sentences)
  })

  test.for<[string, () => Array<Violation>]>([
    ['a record that was touched', () => stepFrom(step, { ...step, updatedAt: new Date(NOW) }, [])],
    [
      'a state that says something else',
      () => stepFrom(state, { ...state, output: 'half', updatedAt: new Date(NOW) }, []),
    ],
    [
      'a release is no suspension, and ends a run as well',
      () => stepFrom(running(), ready({ startedAt: running().startedAt ?? new Date(NOW) }), [released()]),
    ],
  ])('%s is fine', ([, sound]) => {
    expect(told(sound())).toEqual([])
  })
})
