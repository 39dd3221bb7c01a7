/** Planted faults in the life of one row: claims, leases, outcomes, losses, cancels. */

import { type FindKind, HOLDS_UNTIL, LAPSED_AT, NOW } from './world.ts'
import { type PlantedFault } from './faults.ts'
import { afterwards, underLeaseOf, withEvents, withRows, withUpdates } from './wrong-decisions.ts'

const remembers = (...kinds: Array<FindKind>): { remembers: ReadonlySet<FindKind> } => ({
  remembers: new Set(kinds),
})

export const ATTEMPT_FAULTS: ReadonlyArray<PlantedFault> = [
  {
    name: 'claim without looking again',
    what: 'claims by select, then update: whether another one runs it meanwhile is not looked at again',
    breaks: {
      ...remembers('claim'),
      believe: (_, locked, found) => (locked.status === 'running' ? found : locked),
    },
    scenario: 'one task',
    caughtBy: ['S2', 'S5'],
  },
  {
    name: 'claim before its time',
    what: 'claims by find and an update guarded by the status: startAt is not read again',
    breaks: {
      ...remembers('claim'),
      believe: (_, locked, found) => ({ ...locked, startAt: found.startAt }),
    },
    scenario: 'one task',
    caughtBy: ['S15'],
  },
  {
    name: 'start before the commit',
    what: 'starts user code when the row is found, before its claim is committed',
    breaks: { isStartingAfterCommit: false },
    scenario: 'one task',
    caughtBy: ['S7'],
  },
  {
    name: 'no fence in the clock',
    what: "a claim's startedAt is the present, even when the clock stood still",
    breaks: {
      decide: withUpdates(({ update }) =>
        update.status === 'running' ? { ...update, startedAt: new Date(NOW) } : update,
      ),
    },
    scenario: 'one task',
    caughtBy: ['S5'],
  },
  {
    name: 'outcome without a lease',
    what: 'writes an outcome to whatever runs, without naming the lease it ran under',
    breaks: {
      decide: withEvents((event, row) => (event.kind === 'renewed' ? event : underLeaseOf(event, row))),
    },
    scenario: 'one task',
    caughtBy: ['S4'],
  },
  {
    name: 'outcome without a guard',
    what: 'decides an outcome over the row as it was claimed, and writes it whatever the row is now',
    breaks: { isGuardingWrites: false },
    scenario: 'closing of the last child',
    caughtBy: ['S2', 'S4'],
  },
  {
    name: 'a zombie renews',
    what: "renews by the row's id, so that a run that was given up renews its successor's lease",
    breaks: {
      decide: withEvents((event, row) => (event.kind === 'renewed' ? underLeaseOf(event, row) : event)),
    },
    scenario: 'one task',
    caughtBy: ['S4'],
  },
  {
    name: 'a renewed lease is stolen',
    what: 'recovers by find and an update guarded by the status: expiresAt is not read again',
    breaks: {
      ...remembers('recover'),
      believe: (kind, locked) =>
        kind === 'recover' && locked.expiresAt !== undefined ? { ...locked, expiresAt: LAPSED_AT } : locked,
    },
    scenario: 'one task',
    caughtBy: ['S4'],
  },
  {
    name: 'nobody recovers',
    what: 'leases lapse, and nobody looks for them',
    breaks: { isRecovering: false },
    scenario: 'one task',
    caughtBy: ['L5'],
  },
  {
    name: 'a lapsed lease is kept',
    what: 'a row that is put back keeps the deadline of the lease it lost',
    breaks: {
      decide: withUpdates(({ update }) => {
        const { unsetExpiresAt, ...rest } = update
        return unsetExpiresAt === true && update.status === 'ready' ? rest : update
      }),
    },
    scenario: 'one task',
    caughtBy: ['S3'],
  },
  {
    name: 'losses are not counted',
    what: 'a lapsed lease puts the row back without counting, so that a task that kills its process runs for ever',
    breaks: {
      decide: withUpdates(({ before, update, event }) =>
        event?.kind === 'lost'
          ? { status: 'ready', unsetExpiresAt: true, updatedAt: update.updatedAt, losses: before.losses ?? 0 }
          : update,
      ),
    },
    scenario: 'one task',
    caughtBy: ['S7'],
  },
  {
    name: 'a claim forgives losses',
    what: 'the count of losses begins again with each claim, not with an attempt that settles',
    breaks: {
      decide: withUpdates(({ update }) => (update.status === 'running' ? { ...update, losses: 0 } : update)),
    },
    scenario: 'one task',
    caughtBy: ['S7'],
  },
  {
    name: 'a retry is counted as a loss',
    what: 'an attempt that ends with a retryable error counts as lost, and not as a retry',
    breaks: {
      decide: withUpdates(({ before, update, event }) =>
        event?.kind === 'failed' && update.status === 'ready'
          ? { ...update, retryAttempts: before.retryAttempts, losses: (before.losses ?? 0) + 1 }
          : update,
      ),
    },
    scenario: 'one task',
    caughtBy: ['S7'],
  },
  {
    name: 'a loss is counted as a retry',
    what: 'a crash of its process uses up one of the retries of the task',
    breaks: {
      decide: withUpdates(({ before, update, event }) =>
        event?.kind === 'lost' && update.status === 'ready'
          ? { ...update, retryAttempts: before.retryAttempts + 1 }
          : update,
      ),
    },
    scenario: 'one task',
    caughtBy: ['S7'],
  },
  {
    name: 'a cancelled run completes',
    what: 'the late result of a run overwrites the cancel that was acknowledged',
    breaks: {
      decide: withRows((row, events) =>
        row.status === 'cancelled' && events.some((event) => event.kind === 'succeeded')
          ? { ...row, status: 'running', expiresAt: HOLDS_UNTIL }
          : row,
      ),
    },
    scenario: 'one task',
    caughtBy: ['S1', 'S14'],
  },
  {
    name: 'unknown tasks are failed',
    what: 'an executor ends rows whose task it does not know',
    breaks: { isRejectingUnknown: true },
    scenario: 'a parent that one executor does not know',
    caughtBy: ['S2'],
  },
  {
    name: 'a repeated settle runs twice',
    what: 'a settle whose reply was lost is accepted once more, under whatever status the row has now',
    breaks: {
      decide: afterwards((decision, _, events) => {
        for (const [index, event] of events.entries()) {
          if (event.kind === 'succeeded' && decision.results[index] === 'repeated') {
            decision.results[index] = 'accepted'
          }
        }
      }),
    },
    scenario: 'one task',
    caughtBy: ['S4', 'S6'],
  },
]
