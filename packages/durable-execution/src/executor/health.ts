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

type Moment = { monotonicAt: Millis; at: Date }

// What SQLite and Postgres say when there is no room left.
const DISK_FULL = /SQLITE_FULL|disk is full|disk full|No space left|ENOSPC|53100/i

export class Health implements StorageObserver {
  readonly #clock: Clock
  /** When the first question was asked that nothing was answered to since. */
  #unansweredSince: Moment | undefined
  #error: { thrown: unknown } | undefined
  #isDiskFull = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  onAsk(): void {
    this.#unansweredSince ??= this.#moment()
  }

  onAnswer(): void {
    this.#unansweredSince = undefined
    this.#error = undefined
    this.#isDiskFull = false
  }

  onFailure(error: unknown): void {
    this.#unansweredSince ??= this.#moment()
    this.#error = { thrown: error }
    const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined
    this.#isDiskFull = DISK_FULL.test(`${String(code)} ${messageOf(error)}`)
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
    const since = this.#unansweredSince
    if (since !== undefined && this.#clock.monotonicNow() - since.monotonicAt > limitMs) {
      const reason = this.#error === undefined ? '' : `: ${messageOf(this.#error.thrown)}`
      problems.push(`The storage has not answered since ${since.at.toISOString()}${reason}`)
    }
    if (this.#isDiskFull) {
      problems.push('The disk of the storage is full')
    }
    for (const loop of facts.loops) {
      if (loop.silentMs() > limitMs) {
        problems.push(`The loop "${loop.name}" has been silent for ${Math.round(loop.silentMs())} ms`)
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

  #moment(): Moment {
    return { monotonicAt: this.#clock.monotonicNow(), at: new Date(this.#clock.now()) }
  }
}
