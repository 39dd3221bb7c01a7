/** What the rows say of the time to come: when the next of them is due, and whether something is overdue already. */

import { type Millis, systemClock } from '../base/clock.ts'
import { LIMITS } from '../base/limits.ts'
import { TimeLimits } from '../base/time-limits.ts'
import { FINISHED_STATUSES } from '../machine/status.ts'
import { type DurableStorage } from '../storage/contract.ts'

/** An execution that runs, whoever runs it. */
type RunningAhead = {
  executionId: string
  /** Names the attempt: each claim of a row has a `startedAt` of its own. */
  attemptKey: string
  timeoutAtMs: Millis
  lapseAtMs: Millis
}

/** What is to come, in milliseconds of the time of day. */
export type Ahead = {
  running: ReadonlyArray<RunningAhead>
  /** When the next execution is due that is not due yet. */
  nextStartAtMs: Millis | undefined
  /** Something is due now and not begun, or finished and not closed: it may need a poll, or never come. */
  isOverdue: boolean
  /** Changes whenever an execution moves. */
  signature: string
}

// Far more than can be under way in a test whose steps anybody wants to follow; of what is beyond, time may leap over the moment.
const MOST_ROWS = 1_000
// A storage that does not answer must not hang the test. Real time.
const LONGEST_LOOK_MS = 5_000

const limits = new TimeLimits(systemClock)

export async function lookAhead(storage: DurableStorage, now: Millis): Promise<Ahead> {
  try {
    return await limits.within(readAhead(storage, now), LONGEST_LOOK_MS, 'The storage does not answer')
  } catch {
    // A storage that fails on purpose fails here too: nothing is known, and time goes on in growing steps.
    return { running: [], nextStartAtMs: undefined, isOverdue: true, signature: 'unknown' }
  }
}

async function readAhead(storage: DurableStorage, now: Millis): Promise<Ahead> {
  return await storage.withTransaction(async (tx) => {
    const rows = await tx.getTaskExecutions({ type: 'by_statuses', statuses: ['running'] }, MOST_ROWS)
    const startAtLessThan = new Date(now + LIMITS.delayMs)
    const ready = await tx.getTaskExecutions(
      { type: 'by_start_at_less_than', statuses: ['ready'], startAtLessThan },
      MOST_ROWS,
    )
    const open = await tx.getTaskExecutionIds(
      { type: 'by_statuses', statuses: [...FINISHED_STATUSES], isClosed: false },
      MOST_ROWS,
    )
    const running = rows.map(({ executionId, startedAt, timeoutMs, expiresAt }) => {
      const startedAtMs = startedAt?.getTime() ?? now
      return {
        executionId,
        attemptKey: `${executionId}@${startedAtMs}`,
        timeoutAtMs: startedAtMs + timeoutMs,
        lapseAtMs: expiresAt?.getTime() ?? now,
      }
    })
    const startsAtMs = ready.map((row) => row.startAt.getTime())
    const later = startsAtMs.filter((startAtMs) => startAtMs > now)
    const names = [
      ...running.map(({ attemptKey }) => attemptKey),
      ...ready.map((row, index) => `${row.executionId}${(startsAtMs[index] ?? 0) > now ? ' later' : ' due'}`),
      ...open,
    ]
    return {
      running,
      nextStartAtMs: later.length === 0 ? undefined : later.reduce((a, b) => Math.min(a, b)),
      isOverdue: later.length < startsAtMs.length || open.length > 0,
      signature: names.join(),
    }
  })
}
