/** Faults of outcomes: how an attempt ends, who is told, and what is counted. */

import { type Plant } from './plant.ts'

const ATTEMPT = 'machine/attempt.ts'
const SETTLE = 'store/settle.ts'

export const OUTCOME_FAULTS: ReadonlyArray<Plant> = [
  {
    name: 'no-lease-guard',
    what: 'an outcome is written to whatever runs, whoever holds it',
    breaks: 'S4',
    patches: [
      {
        file: ATTEMPT,
        from: `return row.status === 'running' && wasClaimedBy(row, lease)`,
        to: `return row.status === 'running' && lease !== undefined`,
      },
      {
        file: SETTLE,
        from: 'statuses: RUNNING, leaseId: claimed.leaseId, update',
        to: 'statuses: RUNNING, update',
      },
    ],
  },
  {
    name: 'no-status-guard',
    what: 'an outcome is written whatever the status of the row is by now',
    breaks: 'S1',
    twin: 'outcome without a guard',
    patches: [
      {
        file: SETTLE,
        from: `['statuses']> = ['running']`,
        to: `['statuses']> = ['running', 'ready', 'cancelled', 'failed', 'completed', 'timed_out']`,
      },
    ],
  },
  {
    name: 'a-refused-outcome-is-told',
    what: 'an outcome that the row refused is told to those who wait as if it had been written',
    breaks: 'what a wait gives is what the row says',
    unseenBy: {
      simulator: '150 seeds do not draw it',
    },
    patches: [
      {
        file: SETTLE,
        from: '.filter(([id]) => !refusedIds.has(id))',
        to: '.filter(([id]) => id !== undefined)',
      },
    ],
  },
  {
    name: 'retries-not-counted',
    what: 'a failed attempt is put back without counting',
    breaks: 'S7',
    patches: [
      {
        file: ATTEMPT,
        from: 'retryAttempts: row.retryAttempts + 1',
        to: 'retryAttempts: row.retryAttempts',
      },
    ],
  },
  {
    name: 'one-retry-too-many',
    what: 'a task is retried once more than its options allow',
    breaks: 'S7',
    patches: [
      { file: 'machine/retry.ts', from: 'retries >= retry.maxAttempts', to: 'retries > retry.maxAttempts' },
    ],
  },
  {
    name: 'everything-is-retried',
    what: 'an attempt is tried again after an error that says it must not be',
    breaks: 'S7',
    patches: [{ file: ATTEMPT, from: 'error.isRetryable ? nextAttemptAt(', to: 'row ? nextAttemptAt(' }],
  },
  {
    name: 'no-pause-before-a-retry',
    what: 'a failed attempt is due again at once, whatever pause its task asks for',
    breaks: 'a retry waits for its pause',
    unseenBy: {
      explorer: 'it has one instant',
      simulator: 'it does not measure pauses',
    },
    patches: [{ file: ATTEMPT, from: 'startAt: new Date(retryAt)', to: 'startAt: new Date(now)' }],
  },
  {
    name: 'a-release-counts-as-a-try',
    what: 'what a leaving executor gives back has one retry less',
    breaks: 'S7',
    patches: [
      {
        file: ATTEMPT,
        from: `? { status: 'ready', unsetExpiresAt: true,`,
        to: `? { status: 'ready', retryAttempts: row.retryAttempts + 1, unsetExpiresAt: true,`,
      },
    ],
  },
  {
    name: 'finished-before-it-started',
    what: 'the end of a run is the present, even where its claim had to be dated later',
    breaks: 'S1',
    patches: [
      {
        file: ATTEMPT,
        from: 'startedAt !== undefined && startedAt > now ?',
        to: 'startedAt !== undefined && startedAt < startedAt ?',
      },
    ],
  },
  {
    name: 'a-timeout-is-a-failure',
    what: 'an attempt that took too long ends as failed, not as timed_out',
    breaks: 'an attempt beyond its timeout ends as timed_out',
    patches: [{ file: ATTEMPT, from: `return 'timed_out'`, to: `return 'failed'` }],
  },
  {
    name: 'timeouts-pass-unnoticed',
    what: 'an attempt goes on beyond its timeout',
    breaks: 'an attempt beyond its timeout ends as timed_out',
    patches: [
      {
        file: 'executor/runs.ts',
        from: '#timeOut(run: Run, error: DurableExecutionError): void {',
        to: '#timeOut(run: Run, error: DurableExecutionError): void {\n    if (run.row !== undefined) return',
      },
    ],
  },
  {
    name: 'a-cancelled-run-is-not-flagged',
    what: 'a cancel is written without the flag by which whoever runs the row is told',
    breaks: 'a cancelled run is told to stop within seconds',
    unseenBy: {
      explorer: 'its runs are not told to stop',
      simulator: 'it does not ask how soon a run is told',
    },
    patches: [
      {
        file: ATTEMPT,
        from: `needsPromiseCancellation: row.status === 'running'`,
        to: 'needsPromiseCancellation: false',
      },
    ],
  },
  {
    name: 'a-cancelled-run-is-not-told',
    what: 'the flag of a cancelled run is taken back, and the run is not told',
    breaks: 'a cancelled run is told to stop within seconds',
    unseenBy: {
      simulator: 'it does not ask how soon a run is told',
    },
    patches: [
      {
        file: 'store/renew.ts',
        from: '    for (const executionId of found) {',
        to: '    for (const executionId of found.slice(1)) {',
      },
    ],
  },
  {
    name: 'a-repeated-cancel-denies',
    what: 'a cancel whose reply was lost is repeated, and says that it cancelled nothing',
    breaks: 'cancel says whether it cancelled',
    patches: [
      {
        file: 'store/cancel.ts',
        from: 'if (tried.size === 0)',
        to: 'if (tried.size < 9)',
      },
    ],
  },
  {
    name: 'an-outage-convicts',
    what: 'connections that break three times at the outcome of one run make it fail',
    breaks: 'S20',
    patches: [{ file: 'executor/committer.ts', from: 'if (isOfTheMoment(error) || ', to: 'if (' }],
  },
]
