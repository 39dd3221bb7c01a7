/** What an observer counted is held against the rows. */

import { describe, expect, test } from 'vitest'

import { type ExecutionRow } from './execution.ts'
import { type ExecutionHistory, historyOf, recordStart, recordStep } from './history.ts'
import { checkHistory, INVARIANTS, type InvariantId, type Violation } from './invariants.ts'
import {
  cancelled,
  claimed,
  failed,
  finished,
  leaseNamed,
  lost,
  ready,
  released,
  running,
} from './testing-dsl.test-support.ts'

const at = (row: ExecutionRow): ReadonlyMap<string, ExecutionRow> => new Map([[row.executionId, row]])

function named(violations: ReadonlyArray<Violation>): Array<InvariantId> {
  return [...new Set(violations.map((violation) => violation.invariant))]
}

describe('what is counted', () => {
  const counted = (fields: Partial<ExecutionHistory>): ReadonlyMap<string, ExecutionHistory> =>
    new Map([['x', { ...historyOf(new Map(), 'x'), ...fields }]])
  const first = leaseNamed('first')
  const second = leaseNamed('second')

  test('one start for one claim is fine', () => {
    expect(checkHistory(at(running()), counted({ claims: [first], starts: [first] }))).toEqual([])
  })

  test('each loss, retry and release explains one more start', () => {
    const history = counted({ claims: [first, second], starts: [first, second], releases: 1 })
    expect(checkHistory(at(running()), history)).toEqual([])
  })

  const broken: ReadonlyArray<[InvariantId, string, Partial<ExecutionHistory>]> = [
    ['S6', 'two outcomes are accepted', { outcomes: 2 }],
    ['S7', 'user code starts too often', { claims: [first, second], starts: [first, second] }],
    ['S7', 'user code starts without a claim', { claims: [first], starts: [second] }],
    [
      'S7',
      'user code starts twice under one lease',
      { claims: [first], starts: [first, first], losses: 1, lossesInARow: 0 },
    ],
    ['S7', 'a retry is not counted', { retries: 1 }],
    ['S7', 'a loss is not counted', { losses: 1, lossesInARow: 1 }],
  ]
  test.for(broken)('%s: %s', ([invariant, , fields]) => {
    expect(named(checkHistory(at(ready()), counted(fields), { maxLosses: 3 }))).toContain(invariant)
  })

  test('S7: a row is lost more often than it may be', () => {
    const history = counted({ losses: 4, lossesInARow: 4 })
    expect(named(checkHistory(at(ready({ losses: 4 })), history, { maxLosses: 3 }))).toContain('S7')
  })

  test('losses are not asked for where the storage does not count them', () => {
    expect(checkHistory(at(ready()), counted({ losses: 1, lossesInARow: 1 }))).toEqual([])
  })

  test('an observer counts what is accepted', () => {
    let history: ReadonlyMap<string, ExecutionHistory> = new Map()
    history = recordStep(history, at(running({ lease: 'first' })), [claimed({ lease: 'first' })])
    history = recordStart(history, 'x', first)
    history = recordStep(history, at(ready()), [lost()])
    history = recordStep(history, at(ready()), [failed()])
    history = recordStep(history, at(ready()), [released()])
    history = recordStep(history, at(finished('failed')), [failed()])
    history = recordStep(history, at(finished('cancelled')), [cancelled()])
    expect(historyOf(history, 'x')).toEqual({
      claims: [first],
      starts: [first],
      retries: 1,
      losses: 1,
      lossesInARow: 0,
      releases: 1,
      outcomes: 1,
      isCancelled: true,
    })
  })
})

test('every promise is a sentence', () => {
  expect(Object.values(INVARIANTS).filter((sentence) => sentence.length < 20)).toEqual([])
})
