/** Faults of claims and leases: who may run a row, and until when. */

import { type Plant } from './plant.ts'

const ATTEMPT = 'machine/attempt.ts'
const HEARTBEAT = 'executor/heartbeat.ts'
const RECOVER = 'store/recover.ts'

export const CLAIM_FAULTS: ReadonlyArray<Plant> = [
  {
    name: 'claimed-before-its-time',
    what: 'a claim does not read again when the row that it found is due',
    breaks: 'S15',
    unseenBy: {
      suite: 'on memory and SQLite nothing comes between the find and the touch',
      simulator: '1,000 seeds do not draw the race',
    },
    patches: [{ file: ATTEMPT, from: 'row.startAt.getTime() > now', to: 'row.startAt.getTime() > Infinity' }],
  },
  {
    name: 'no-fence-in-the-clock',
    what: "a claim's startedAt is the present, even when the clock stood still",
    breaks: 'S5',
    unseenBy: {
      simulator: '1,000 seeds do not draw two claims in one millisecond',
    },
    patches: [
      {
        file: ATTEMPT,
        from: 'Math.max(now, (row.startedAt?.getTime() ?? -Infinity) + 1)',
        to: 'now',
      },
    ],
  },
  {
    name: 'a-lost-claim-is-forgotten',
    what: 'a claim whose reply was lost is looked up, and nothing of it is found',
    breaks: 'what was claimed is run, whether the reply comes or not',
    unseenBy: {
      simulator: 'the lease lapses, which is a loss like any other',
    },
    patches: [
      { file: 'store/claim.ts', from: '=> row.leaseId === leaseId', to: '=> row.leaseId === undefined' },
    ],
  },
  {
    name: 'a-lease-is-stolen',
    what: 'recovery does not look again whether the lease it found lapsed was renewed',
    breaks: 'S4',
    unseenBy: {
      suite: 'on memory and SQLite nothing comes between the find and the touch',
    },
    patches: [{ file: ATTEMPT, from: 'row.expiresAt.getTime() >= now', to: 'row.expiresAt.getTime() < 0' }],
  },
  {
    name: 'suspects-run-together',
    what: 'executions that were lost again and again are run beside each other: one that kills its process takes the others along',
    breaks: 'of executions that were lost twice in a row a process runs one at a time',
    unseenBy: {
      explorer: 'it runs the rules, and not what an executor takes',
      simulator: 'its crashes take whole processes, whatever those run',
    },
    patches: [
      { file: 'machine/apart.ts', from: 'losses >= LIMITS.lossesUntilApart', to: 'losses >= Infinity' },
    ],
  },
  {
    name: 'losses-not-counted',
    what: 'a lapsed lease puts the row back without counting',
    breaks: 'S7',
    patches: [{ file: ATTEMPT, from: '(row.losses ?? 0) + 1', to: '(row.losses ?? 0)' }],
  },
  {
    name: 'one-loss-too-many',
    what: 'a task that kills its process is given up one loss too late',
    breaks: 'S7',
    unseenBy: {
      simulator: '150 seeds do not draw four losses in a row',
    },
    patches: [{ file: ATTEMPT, from: 'losses >= event.maxLosses', to: 'losses > event.maxLosses' }],
  },
  {
    name: 'a-loss-uses-up-a-retry',
    what: 'a crash of its process is counted as a retry of the task, too',
    breaks: 'S7',
    patches: [
      {
        file: ATTEMPT,
        from: '    losses,\n    startAt: ',
        to: '    losses,\n    retryAttempts: row.retryAttempts + 1,\n    startAt: ',
      },
    ],
  },
  {
    name: 'a-lapsed-lease-is-kept',
    what: 'a row that was lost keeps the deadline of its old lease',
    breaks: 'S3',
    patches: [
      {
        file: ATTEMPT,
        from: `startAt: new Date(dueBy(row, nextAttemptAfterLossAt(losses, now), now)),
    unsetExpiresAt: true,`,
        to: 'startAt: new Date(dueBy(row, nextAttemptAfterLossAt(losses, now), now)),',
      },
    ],
  },
  {
    name: 'a-zombie-renews',
    what: 'a run renews the lease of whoever holds its row now',
    breaks: 'S4',
    patches: [
      {
        file: ATTEMPT,
        from: 'return holdsLease(row, event.lease) ? { expiresAt',
        to: `return row.status === 'running' ? { expiresAt`,
      },
    ],
  },
  {
    name: 'nobody-recovers',
    what: 'leases lapse, and nobody looks for them',
    breaks: 'L5',
    twin: 'nobody recovers',
    patches: [
      {
        file: RECOVER,
        from: 'const quiet = await nextLapseIfQuiet(transact, doors)',
        to: 'const quiet = { nextLapseAt: undefined as Date | undefined }',
      },
    ],
  },
  {
    name: 'unknown-tasks-are-given-up',
    what: 'an executor ends at its first loss what is of a task that it does not know',
    breaks: 'an executor gives up no execution of a task it does not know',
    twin: 'unknown tasks are failed',
    patches: [{ file: RECOVER, from: `?? '') ?? Infinity`, to: `?? '') ?? 1` }],
  },
  {
    name: 'a-jump-of-the-clock-robs',
    what: 'recovery does not wait after the clock was set forward: leases look lapsed that are not',
    breaks: 'a clock that jumps costs no run its lease',
    unseenBy: {
      simulator: 'it allows for clocks that are off by as much',
    },
    patches: [
      {
        file: 'executor/sweeping.ts',
        from: 'this.#holdUntil = monotonicNow + options.expireMs',
        to: 'this.#holdUntil = monotonicNow',
      },
    ],
  },
  {
    name: 'an-outage-is-a-loss',
    what: 'runs that could not be kept through an outage of the storage are not given back when it answers again',
    breaks: 'an outage costs a run no loss',
    unseenBy: {
      unit: 'no test beside it',
      explorer: 'it runs the rules, and not what an executor does',
      simulator: 'a loss more is excused by the crashes beside it',
    },
    patches: [
      {
        file: 'executor/late-releases.ts',
        from: 'this.#waiting.push({ row, lease })',
        to: 'this.#waiting = [{ row, lease }].slice(1)',
      },
    ],
  },
  {
    name: 'the-heart-beats-too-slowly',
    what: 'leases are renewed at twice their length',
    breaks: 'S7',
    unseenBy: {
      simulator: 'a loss explains any bad end',
    },
    patches: [{ file: HEARTBEAT, from: 'jitter(expireMs / 3, random)', to: 'jitter(expireMs * 2, random)' }],
  },
  {
    name: 'who-lost-its-lease-goes-on',
    what: 'a run whose renewal was refused is not stopped',
    breaks: 'a run that lost its lease is told to stop',
    unseenBy: {
      simulator: 'it does not ask how soon a run is told',
    },
    patches: [
      {
        file: HEARTBEAT,
        from: `this.#runs.drop(run, new DurableExecutionCancelledError('Task lost its lease'))`,
        to: '',
      },
    ],
  },
  {
    name: 'beyond-the-deadline',
    what: 'a run that could not renew its lease in time is not stopped',
    breaks: 'a run whose lease must be believed lapsed is told to stop',
    unseenBy: {
      simulator: 'it does not ask how soon a run is told',
    },
    patches: [
      {
        file: HEARTBEAT,
        from: 'if (run.leaseDeadlineAt <= now && !run.isDecided) {',
        to: 'if (run.leaseDeadlineAt <= -now && !run.isDecided) {',
      },
    ],
  },
]
