/** Steps that break a promise are found out, one for each, and those of the rules are not. */

import { describe, expect, test } from 'vitest'

import { type ExecutionEvent } from './event.ts'
import { type ExecutionRow } from './execution.ts'
import { type ExecutionHistory, historyOf } from './history.ts'
import { checkStep, checkWorld, type InvariantId, type Violation } from './invariants.ts'
import {
  cancelled,
  claimed,
  completed,
  failed,
  failure,
  fannedOut,
  finished,
  given,
  lapsed,
  leaseNamed,
  lost,
  newChild,
  NOW,
  ready,
  released,
  renewed,
  running,
} from './testing-dsl.test-support.ts'

const done = finished('completed', { isClosed: true })
const bad = finished('failed', { isClosed: true })
const finishedAt = new Date(NOW)

function named(violations: ReadonlyArray<Violation>): Array<InvariantId> {
  return [...new Set(violations.map((violation) => violation.invariant))]
}

const at = (row: ExecutionRow): ReadonlyMap<string, ExecutionRow> => new Map([[row.executionId, row]])

function stepFrom(
  before: ExecutionRow,
  after: ExecutionRow,
  events: ReadonlyArray<ExecutionEvent>,
  history: Partial<ExecutionHistory> = {},
): Array<Violation> {
  const counted = new Map([[before.executionId, { ...historyOf(new Map(), before.executionId), ...history }]])
  return checkStep(at(before), at(after), { now: NOW, events, history: counted })
}

describe('steps that the rules make keep every promise', () => {
  const sound = [
    { row: ready(), event: claimed() },
    { row: running(), event: renewed() },
    { row: running(), event: completed() },
    { row: running(), event: failed() },
    {
      row: running({ retryOptions: { maxAttempts: 1 } }),
      event: failed({ error: failure('', { isRetryable: true }) }),
    },
    { row: running(), event: released() },
    { row: lapsed(), event: lost() },
    { row: running(), event: cancelled() },
    { row: running(), event: fannedOut({ of: 'x', children: [newChild(0)] }) },
  ]
  test.for(sound)('$event.kind', ({ row, event }) => {
    const then = given(row).when(event)
    const world = [then.row(), ...then.decision.inserts]
    expect([...stepFrom(row, then.row(), [event]), ...checkWorld(world)]).toEqual([])
  })
})

describe('steps that break a promise', () => {
  const again = claimed({ lease: 'second' })
  const claimedRow = running({ lease: 'second' })
  const used = { claims: [leaseNamed('second')] }
  const broken: ReadonlyArray<[InvariantId, string, Array<Violation>]> = [
    ['S1', 'a finished row runs again', stepFrom(finished('failed'), running(), [])],
    ['S1', 'a completed row fails', stepFrom(done, finished('failed'), [])],
    ['S1', 'a finished row finishes later', stepFrom(done, { ...done, finishedAt }, [])],
    ['S1', 'a finished row has another output', stepFrom(done, { ...done, output: 'other' }, [])],
    ['S1', 'a finished row has another error', stepFrom(bad, { ...bad, error: failure('Other') }, [])],
    [
      'S1',
      'a finished row has another finalize execution',
      stepFrom(done, { ...done, finalizeTask: { taskId: 'last', executionId: 'f' } }, []),
    ],
    ['S1', 'a closed row is open again', stepFrom(done, { ...done, isClosed: false }, [])],
    ['S2', 'a row that nobody ran fails', stepFrom(ready(), finished('failed'), [])],
    ['S2', 'a row that runs is claimed', stepFrom(running(), claimedRow, [again])],
    [
      'S4',
      'an outcome of another lease is accepted',
      stepFrom(claimedRow, finished('completed'), [completed()]),
    ],
    ['S4', 'a renewal of another lease is accepted', stepFrom(claimedRow, claimedRow, [renewed()])],
    ['S4', 'a run ends and nobody says why', stepFrom(running(), finished('failed'), [])],
    ['S4', 'a lease that holds is lost', stepFrom(running(), ready(), [lost()])],
    [
      'S5',
      'a claim starts no later than the one before',
      stepFrom(ready(leaseNamed('second')), claimedRow, [again]),
    ],
    [
      'S5',
      'a claim starts no later than one that the row forgot',
      stepFrom(ready(), claimedRow, [again], { claims: [{ ...leaseNamed('second'), leaseId: 'other' }] }),
    ],
    [
      'S5',
      'a lease is used again',
      stepFrom(ready(), running({ leaseId: 'second', startedAt: new Date(NOW) }), [again], used),
    ],
    [
      'S5',
      'startedAt changes without a claim',
      stepFrom(ready(leaseNamed('first')), ready(leaseNamed('second')), []),
    ],
    [
      'S14',
      'what was cancelled is completed',
      stepFrom(running(), done, [completed()], { isCancelled: true }),
    ],
    [
      'S15',
      'a row is claimed before its time',
      stepFrom(ready({ startAt: new Date(NOW + 1) }), claimedRow, [again]),
    ],
    [
      'S16',
      'a row disappears',
      checkStep(at(ready()), new Map(), { now: NOW, events: [], history: new Map() }),
    ],
    [
      'S2',
      'a row appears that is finished',
      checkStep(new Map(), at(done), { now: NOW, events: [], history: new Map() }),
    ],
  ]
  test.for(broken)('%s: %s', ([invariant, , violations]) => {
    expect(named(violations)).toContain(invariant)
  })
})
