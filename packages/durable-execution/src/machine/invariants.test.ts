/** What an observer counted is held against the rows. */

import { describe, expect, test } from 'vitest'

import { suspended } from './durable-dsl.test-support.ts'
import { type ExecutionRow } from './execution.ts'
import { type ExecutionHistory, historyOf, recordStart, recordStep } from './history.ts'
import { checkHistory, INVARIANTS } from './invariants.ts'
import { cancelled, claimed, failed, lost, released } from './events.test-support.ts'
import { finished, leaseNamed, ready, running } from './rows.test-support.ts'
import { at, told } from './told.test-support.ts'

describe('what is counted', () => {
  const counted = (fields: Partial<ExecutionHistory>): ReadonlyMap<string, ExecutionHistory> =>
    new Map([['x', { ...historyOf(new Map(), 'x'), ...fields }]])
  const first = leaseNamed('first')
  const second = leaseNamed('second')

  test('one start for one claim is fine', () => {
    expect(checkHistory(at(running()), counted({ claims: [first], starts: [first] }))).toEqual([])
  })

  const other = { ...first, leaseId: 'other' }
  const later = { ...second, leaseId: 'first' }
  const broken: ReadonlyArray<[string, string, ExecutionRow, Partial<ExecutionHistory>]> = [
    ['two outcomes are accepted', 'S6 at x: 2 outcomes were accepted', ready(), { outcomes: 2 }],
    [
      'user code starts too often',
      'S7 at x: user code started 2 times, 1 can be explained',
      ready(),
      { claims: [first, second], starts: [first, second] },
    ],
    [
      'user code starts without a claim',
      'S7 at x: user code started under second, a claim that was not committed',
      ready(),
      { claims: [first], starts: [second] },
    ],
    [
      'user code starts under another leaseId of the same instant',
      'S7 at x: user code started under other, a claim that was not committed',
      ready(),
      { claims: [first], starts: [other] },
    ],
    [
      'user code starts under the same leaseId of another instant',
      'S7 at x: user code started under first, a claim that was not committed',
      ready(),
      { claims: [first], starts: [later] },
    ],
    [
      'user code starts twice under one lease',
      'S7 at x: user code started twice under first',
      ready(),
      { claims: [first], starts: [first, first], releases: 1 },
    ],
    [
      'a retry is not counted',
      'S7 at x: retryAttempts is 0 after 1 retries',
      ready({ retryOptions: { maxAttempts: 1 } }),
      { retries: 1 },
    ],
    [
      'a loss is not counted',
      'S7 at x: losses is 0 after 1 losses in a row',
      ready(),
      { losses: 1, lossesInARow: 1 },
    ],
    [
      'a loss is counted twice',
      'S7 at x: losses is 2 after 1 losses in a row',
      ready({ losses: 2 }),
      { losses: 1, lossesInARow: 1 },
    ],
    [
      'a row is lost more often than it may be',
      'S7 at x: it was lost 4 times in a row, more than 3',
      ready({ losses: 4 }),
      { losses: 4, lossesInARow: 4 },
    ],
  ]
  test.for(broken)('%s', ([, sentence, row, fields]) => {
    expect(told(checkHistory(at(row), counted(fields), { maxLosses: 3 }))).toEqual([sentence])
  })

  test.for<[string, ExecutionRow, Partial<ExecutionHistory>]>([
    ['one outcome', finished('completed'), { outcomes: 1 }],
    ['as many losses in a row as there may be', ready({ losses: 3 }), { losses: 3, lossesInARow: 3 }],
    [
      'a start after a retry',
      ready({ retryAttempts: 1, retryOptions: { maxAttempts: 1 } }),
      { retries: 1, claims: [first, second], starts: [first, second] },
    ],
    ['a start after a loss', ready(), { losses: 1, claims: [first, second], starts: [first, second] }],
    [
      'a start after a suspension',
      ready(),
      { suspensions: 1, claims: [first, second], starts: [first, second] },
    ],
    ['a start after a release', ready(), { releases: 1, claims: [first, second], starts: [first, second] }],
  ])('%s is fine', ([, row, fields]) => {
    expect(checkHistory(at(row), counted(fields), { maxLosses: 3 })).toEqual([])
  })

  test('a row that is not there is not held against what was counted of it', () => {
    expect(checkHistory(new Map(), counted({ retries: 1 }), { maxLosses: 3 })).toEqual([])
  })

  test('S7: a row is retried more often than its options allow', () => {
    const history = counted({ retries: 2 })
    const row = ready({ retryAttempts: 2, retryOptions: { maxAttempts: 1 } })
    expect(told(checkHistory(at(row), history))).toEqual([
      'S7 at x: it was retried 2 times, and may be 1 times',
    ])
    expect(checkHistory(at({ ...row, retryOptions: { maxAttempts: 2 } }), history)).toEqual([])
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
    history = recordStep(history, at(ready()), [suspended()])
    history = recordStep(history, at(finished('failed')), [failed()])
    history = recordStep(history, at(finished('cancelled')), [cancelled()])
    expect(historyOf(history, 'x')).toEqual({
      claims: [first],
      starts: [first],
      retries: 1,
      losses: 1,
      lossesInARow: 0,
      releases: 1,
      suspensions: 1,
      outcomes: 1,
      isCancelled: true,
    })
  })
})

test('every promise is a sentence, and none is left out', () => {
  const numbers = [...Array.from({ length: 16 }, (_, index) => index + 1), 21, 22]
  expect(Object.keys(INVARIANTS)).toEqual(numbers.map((number) => `S${number}`))
  expect(Object.values(INVARIANTS).filter((sentence) => sentence.length < 20)).toEqual([])
})
