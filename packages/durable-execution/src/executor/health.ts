/** What a probe asks: is the storage there, do the loops turn, is anything stuck. */

import { type Clock, type Millis } from '../base/clock.ts'
import { messageOf } from '../base/errors.ts'
import { type StorageObserver } from '../store/transact.ts'
import { type Loop } from './loop.ts'

/**
 * The answer of `executor.health()`.
 *
 * @category Executor
 */
export type DurableExecutorHealth = {
  /** Whether there is no problem. */
  ok: boolean
  /** Each problem in a sentence. */
  problems: Array<string>
}

// What SQLite and Postgres say when there is no room left.
const DISK_FULL = /SQLITE_FULL|disk is full|disk full|No space left|ENOSPC|53100/i

// So long a full disk is told of after the last write that found no room. What is to be written is tried again sooner,
// and reads are answered in between; and where nothing is, nobody would ever learn that there is room again.
const FULL_FOR_MS = 10_000

// A loop may fail a few times while somebody holds a lock, or a connection is made anew; after an outage the next
// tries come within as long.
const FAILING_FOR_MS = 10_000

export class Health implements StorageObserver {
  readonly #clock: Clock
  readonly #expireMs: Millis
  /** When the first question was asked that nothing was answered to since, on the monotonic clock. */
  #unansweredSince: Millis | undefined
  #error: { thrown: unknown } | undefined
  /** When a write last found no room, on the monotonic clock. */
  #fullAt: Millis | undefined
  /** When the storage last came back from an outage, on the monotonic clock. */
  #backAt: Millis = -Infinity
  /** When the storage last came back after so long that others may have lost their leases meanwhile, on the monotonic clock. */
  #outageEndedAt: Millis = -Infinity

  constructor(clock: Clock, expireMs: Millis) {
    this.#clock = clock
    this.#expireMs = expireMs
  }

  /** Whether the storage has failed to answer, and has not answered since. */
  get isAway(): boolean {
    return this.#error !== undefined
  }

  /** Until when whoever is alive may still give back, or renew, what the last outage kept it from. */
  get outageLastsUntil(): Millis {
    return this.#outageEndedAt + this.#expireMs / 2
  }

  onAsk(): void {
    this.#unansweredSince ??= this.#clock.monotonicNow()
  }

  onAnswer(): void {
    if (this.#unansweredSince !== undefined) {
      const now = this.#clock.monotonicNow()
      const silentMs = now - this.#unansweredSince
      if (silentMs > FAILING_FOR_MS) {
        this.#backAt = now
      }
      // A storage that fails again and again must not keep recovery waiting for ever.
      if (this.isAway && silentMs > this.#expireMs / 6 && now - this.#outageEndedAt > 2 * this.#expireMs) {
        this.#outageEndedAt = now
      }
      this.#unansweredSince = undefined
    }
    this.#error = undefined
  }

  /** New executions were written: there is room. */
  onRoom(): void {
    this.#fullAt = undefined
  }

  onFailure(error: unknown): void {
    this.#unansweredSince ??= this.#clock.monotonicNow()
    this.#error = { thrown: error }
    const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined
    if (DISK_FULL.test(`${String(code)} ${messageOf(error)}`)) {
      this.#fullAt = this.#clock.monotonicNow()
    }
  }

  report(facts: {
    loops: ReadonlyArray<Loop>
    pollMs: Millis
    expireMs: Millis
    clockOffsetMs: Millis
    stuck: { executionId: string; taskId: string } | undefined
  }): DurableExecutorHealth {
    const problems: Array<string> = []
    const limitMs = 3 * facts.pollMs
    const silentMs =
      this.#unansweredSince === undefined ? 0 : this.#clock.monotonicNow() - this.#unansweredSince
    const isAway = silentMs > limitMs
    if (isAway) {
      const since = new Date(this.#clock.now() - silentMs)
      const reason = this.#error === undefined ? '' : `: ${messageOf(this.#error.thrown)}`
      problems.push(`The storage has not answered since ${since.toISOString()}${reason}`)
    }
    if (this.#fullAt !== undefined && this.#clock.monotonicNow() - this.#fullAt <= FULL_FOR_MS) {
      problems.push('The disk of the storage is full')
    }
    for (const loop of facts.loops) {
      if (loop.silentMs() > limitMs) {
        problems.push(`The loop "${loop.name}" has been silent for ${Math.round(loop.silentMs())} ms`)
      }
      // Of a storage that does not answer at all one sentence is enough.
      const failing = isAway ? undefined : loop.failing
      if (failing !== undefined) {
        const forMs = this.#clock.monotonicNow() - Math.max(failing.since, this.#backAt)
        if (forMs > FAILING_FOR_MS) {
          const reason = messageOf(failing.error)
          problems.push(`The loop "${loop.name}" has failed for ${Math.round(forMs)} ms: ${reason}`)
        }
      }
    }
    if (Math.abs(facts.clockOffsetMs) > facts.expireMs / 3) {
      problems.push(
        `The clock of this machine is ${Math.round(facts.clockOffsetMs)} ms off the storage's; ` +
          `at most a third of expireMs (${facts.expireMs}) is safe`,
      )
    }
    if (facts.stuck !== undefined) {
      problems.push(
        `Execution ${facts.stuck.executionId} cannot be closed: no executor knows its parent's task ${facts.stuck.taskId}`,
      )
    }
    return { ok: problems.length === 0, problems }
  }
}
