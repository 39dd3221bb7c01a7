/** Steps that break a promise are found out, one for each, and those of the rules are not. */

import { describe, expect, test } from 'vitest'

import { checkStep, checkWorld, type Violation } from './invariants.ts'
import {
  cancelled,
  claimed,
  completed,
  failed,
  fannedOut,
  lost,
  newChild,
  parentEnded,
  released,
  renewed,
} from './events.test-support.ts'
import { failure, finished, lapsed, leaseNamed, NOW, ready, running } from './rows.test-support.ts'
import { given } from './testing-dsl.test-support.ts'
import { at, stepFrom, told } from './told.test-support.ts'

const done = finished('completed', { isClosed: true })
const bad = finished('failed', { isClosed: true })
const finishedAt = new Date(NOW)
const deadlineAt = new Date(NOW)
const mayBeRetried = failure('', { isRetryable: true })

describe('steps that the rules make keep every promise', () => {
  const sound = [
    { row: ready(), event: claimed() },
    { row: running(), event: renewed() },
    { row: running(), event: completed() },
    { row: running(), event: failed() },
    {
      row: running({ retryOptions: { maxAttempts: 1 } }),
      event: failed({ error: mayBeRetried }),
    },
    {
      row: running({ retryOptions: { maxAttempts: 1 }, deadlineAt }),
      event: failed({ error: mayBeRetried }),
    },
    { row: running(), event: released() },
    { row: lapsed(), event: lost() },
    { row: running(), event: cancelled() },
    { row: running(), event: parentEnded({ of: 'x', message: 'Parent' }) },
    { row: ready({ startAt: new Date(NOW) }), event: claimed() },
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
  const broken: ReadonlyArray<[string, Array<string>, () => Array<Violation>]> = [
    [
      'a finished row runs again',
      [
        'S1 at x: failed became running',
        'S1 at x: finishedAt changed',
        'S1 at x: an error changed',
        'S2 at x: a row that was failed was claimed',
        'S5 at x: startedAt is not later than that of an earlier claim',
      ],
      () => stepFrom(finished('failed'), running(), []),
    ],
    [
      'a completed row fails',
      [
        'S1 at x: completed became failed',
        'S1 at x: an output changed',
        'S1 at x: an error changed',
        'S1 at x: it was closed, and is open again',
      ],
      () => stepFrom(done, finished('failed'), []),
    ],
    [
      'a finished row finishes later',
      ['S1 at x: finishedAt changed'],
      () => stepFrom(done, { ...done, finishedAt }, []),
    ],
    [
      'a finished row has another output',
      ['S1 at x: an output changed'],
      () => stepFrom(done, { ...done, output: 'other' }, []),
    ],
    [
      'a finished row has another error',
      ['S1 at x: an error changed'],
      () => stepFrom(bad, { ...bad, error: failure('Other') }, []),
    ],
    [
      'a finished row has another finalize execution',
      ['S1 at x: the finalize execution changed'],
      () => stepFrom(done, { ...done, finalizeTask: { taskId: 'last', executionId: 'f' } }, []),
    ],
    [
      'a closed row is open again',
      ['S1 at x: it was closed, and is open again'],
      () => stepFrom(done, { ...done, isClosed: false }, []),
    ],
    [
      'a row that nobody ran fails',
      ['S2 at x: ready became failed', 'S5 at x: startedAt changed without a claim'],
      () => stepFrom(ready(), finished('failed'), []),
    ],
    [
      'a row that runs is claimed',
      ['S2 at x: a row that was running was claimed'],
      () => stepFrom(running(), claimedRow, [again]),
    ],
    [
      'an outcome of another lease is accepted',
      [
        'S4 at x: succeeded was accepted from first, which did not hold the row',
        'S5 at x: startedAt changed without a claim',
      ],
      () => stepFrom(claimedRow, finished('completed'), [completed()]),
    ],
    [
      'a renewal of another lease is accepted',
      ['S4 at x: renewed was accepted from first, which did not hold the row'],
      () => stepFrom(claimedRow, claimedRow, [renewed()]),
    ],
    [
      'a run ends and nobody says why',
      ['S4 at x: running became failed, and nobody with a right to it did that'],
      () => stepFrom(running(), finished('failed'), []),
    ],
    [
      'a lease that holds is lost',
      [
        'S4 at x: a loss was accepted of a row whose lease had not lapsed',
        'S5 at x: startedAt changed without a claim',
      ],
      () => stepFrom(running(), ready(), [lost()]),
    ],
    [
      'a claim starts no later than the one before',
      ['S5 at x: startedAt is not later than that of an earlier claim'],
      () => stepFrom(ready(leaseNamed('second')), claimedRow, [again]),
    ],
    [
      'a claim starts no later than one that the row forgot',
      ['S5 at x: startedAt is not later than that of an earlier claim'],
      () =>
        stepFrom(ready(), claimedRow, [again], { claims: [{ ...leaseNamed('second'), leaseId: 'other' }] }),
    ],
    [
      'a lease is used again',
      ['S5 at x: the lease second was used before'],
      () => stepFrom(ready(), running({ leaseId: 'second', startedAt: new Date(NOW) }), [again], used),
    ],
    [
      'startedAt changes without a claim',
      ['S5 at x: startedAt changed without a claim'],
      () => stepFrom(ready(leaseNamed('first')), ready(leaseNamed('second')), []),
    ],
    [
      'an attempt is retried after an error that forbids it',
      ['S7 at x: it is tried again after an error that forbids it'],
      () => stepFrom(running(), ready(leaseNamed('first')), [failed()]),
    ],
    [
      'an attempt that timed out has failed',
      ['S2 at x: an attempt that ended as timed_out led to failed'],
      () =>
        stepFrom(running(), finished('failed'), [failed({ error: failure('', { errorType: 'timed_out' }) })]),
    ],
    [
      'an attempt that may be retried times out, and there is no deadline',
      ['S2 at x: an attempt that ended as generic led to timed_out'],
      () => stepFrom(running(), finished('timed_out'), [failed({ error: mayBeRetried })]),
    ],
    [
      'an attempt that may not be retried times out, since there is a deadline',
      ['S2 at x: an attempt that ended as generic led to timed_out'],
      () => stepFrom(running({ deadlineAt }), finished('timed_out', { deadlineAt }), [failed()]),
    ],
    [
      'what was cancelled is completed',
      ['S14 at x: it was cancelled, and is completed now'],
      () => stepFrom(running(), done, [completed()], { isCancelled: true }),
    ],
    [
      'a row is claimed before its time',
      ['S15 at x: it was claimed 1 ms before its time'],
      () => stepFrom(ready({ startAt: new Date(NOW + 1) }), claimedRow, [again]),
    ],
    [
      'a row disappears',
      ['S16 at x: the row disappeared'],
      () => checkStep(at(ready()), new Map(), { now: NOW, events: [], history: new Map() }),
    ],
    [
      'a row appears that is finished',
      ['S2 at x: a new row is completed'],
      () => checkStep(new Map(), at(done), { now: NOW, events: [], history: new Map() }),
    ],
  ]
  test.for(broken)('%s', ([, sentences, step]) => {
    expect(told(step())).toEqual(sentences)
  })
})
