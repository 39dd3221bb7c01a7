/** What the tasks of small worlds have in common: how runs may end, and who knows of them. */

import { genericError, type Outcome, type TaskSketch } from './scenario.ts'

export const succeeds: Outcome = { kind: 'succeeded' }
export const fails: Outcome = { kind: 'failed', error: genericError('Task failed') }
export const failsForNow: Outcome = { kind: 'failed', error: genericError('Task failed for now', true) }
export const timesOut: Outcome = {
  kind: 'failed',
  error: { errorType: 'timed_out', message: 'Task timed out', isRetryable: false },
}
export const givesUp: Outcome = {
  kind: 'failed',
  error: { errorType: 'cancelled', message: 'Task gave up', isRetryable: false },
}

export const fansOut = (...childrenTaskIds: Array<string>): Outcome => ({
  kind: 'fanned_out',
  childrenTaskIds,
})

export const plain: TaskSketch = { outcomes: [succeeds, fails] }
export const good: TaskSketch = { outcomes: [succeeds] }
export const retried: TaskSketch = {
  outcomes: [succeeds, failsForNow],
  retryOptions: { maxAttempts: 1, baseDelayMs: 1_000 },
}

/** What most scenarios share. */
export const usual = { maxLosses: 3, maxOpenFinds: 1, isSettlingWithParents: true } as const

/** Two executors that know all the tasks. */
export const both = (...taskIds: Array<string>): ReadonlyArray<ReadonlyArray<string>> => [taskIds, taskIds]
