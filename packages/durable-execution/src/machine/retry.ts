/** When an execution that did not succeed is tried again. */

import { type Millis } from '../base/clock.ts'
import { LIMITS } from '../base/limits.ts'
import { type DurableTaskRetryOptions } from './execution.ts'

/** When to try again after a retryable error, or null to give up. `retries` were made already. */
export function nextAttemptAt(retry: DurableTaskRetryOptions, retries: number, now: Millis): Millis | null {
  if (retries >= retry.maxAttempts) {
    return null
  }
  // The power overflows to Infinity after many retries, and 0 · Infinity is NaN: no base, no delay.
  const baseDelayMs = retry.baseDelayMs ?? 0
  const delayMs = baseDelayMs === 0 ? 0 : baseDelayMs * (retry.delayMultiplier ?? 1) ** retries
  return now + Math.min(delayMs, retry.maxDelayMs ?? LIMITS.delayMs, LIMITS.delayMs)
}

/** When to try again after the n-th loss in a row: at once after the first, then ever later, up to a minute. */
export function nextAttemptAfterLossAt(losses: number, now: Millis): Millis {
  return losses <= 1 ? now : now + Math.min(LIMITS.lossBackoffMs * 2 ** (losses - 2), LIMITS.lossBackoffMaxMs)
}

/**
 * How often what an execution did is tried to be undone, where the code does not say: it must be, though the storage or the outside
 * world is away for a while.
 */
export const COMPENSATION_RETRIES: DurableTaskRetryOptions = {
  maxAttempts: 10,
  baseDelayMs: 1_000,
  delayMultiplier: 2,
  maxDelayMs: 60_000,
}
