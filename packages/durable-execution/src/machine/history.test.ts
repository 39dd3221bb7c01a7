/** What an observer counts of one accepted event of each kind. */

import { describe, expect, test } from 'vitest'

import { recorded, signalled, suspended } from './durable-dsl.test-support.ts'
import { type OutsideEvent } from './event.ts'
import { type ExecutionRow } from './execution.ts'
import { type ExecutionHistory, historyOf, recordStart, recordStep } from './history.ts'
import {
  cancelled,
  claimed,
  completed,
  failed,
  fannedOut,
  lost,
  released,
  renewed,
} from './events.test-support.ts'
import { finished, leaseNamed, ready, running } from './rows.test-support.ts'

const nothing = historyOf(new Map(), 'x')
const before: ExecutionHistory = { ...nothing, claims: [leaseNamed('first')], losses: 1, lossesInARow: 1 }

const at = (row: ExecutionRow): ReadonlyMap<string, ExecutionRow> => new Map([['x', row]])

test('nothing is counted of what nobody saw', () => {
  expect(nothing).toEqual({
    claims: [],
    starts: [],
    retries: 0,
    losses: 0,
    lossesInARow: 0,
    releases: 0,
    suspensions: 0,
    outcomes: 0,
    isCancelled: false,
  })
})

describe('one event', () => {
  test.for<[OutsideEvent, ExecutionRow, Partial<ExecutionHistory>]>([
    [
      claimed({ lease: 'second' }),
      running({ lease: 'second' }),
      { claims: [leaseNamed('first'), leaseNamed('second')] },
    ],
    [renewed(), running(), {}],
    [completed(), finished('completed'), { outcomes: 1, lossesInARow: 0 }],
    [fannedOut({ of: 'x' }), finished('completed'), { outcomes: 1, lossesInARow: 0 }],
    [failed(), ready(), { retries: 1, lossesInARow: 0 }],
    [failed(), finished('failed'), { outcomes: 1, lossesInARow: 0 }],
    [released(), ready(), { releases: 1 }],
    [suspended(), ready(), { suspensions: 1, lossesInARow: 0 }],
    [recorded(), running(), {}],
    [signalled(), ready(), {}],
    [lost(), ready(), { losses: 2, lossesInARow: 2 }],
    [cancelled(), finished('cancelled'), { isCancelled: true }],
  ])('$0.kind, which left the row $1.status', ([event, row, counted]) => {
    const history = recordStep(new Map([['x', before]]), at(row), [event])
    expect(historyOf(history, 'x')).toEqual({ ...before, ...counted })
  })

  test('of a row that is not there is not counted', () => {
    expect(recordStep(new Map(), new Map(), [lost()])).toEqual(new Map())
  })
})

test('a transaction without events leaves the very history it was given', () => {
  const history = new Map([['x', before]])
  expect(recordStep(history, at(ready()), [])).toBe(history)
})

test('a start is counted under its lease, and changes no history that was given', () => {
  const history = new Map([['x', before]])
  const next = recordStart(history, 'x', leaseNamed('first'))
  expect(historyOf(next, 'x')).toEqual({ ...before, starts: [leaseNamed('first')] })
  expect(historyOf(history, 'x')).toEqual(before)
})
