/** How long runs may take: each until its timeout, or until the deadline of its execution if that comes first. */

import { type Millis, type Timer } from '../base/clock.ts'
import {
  type DurableExecutionError,
  DurableExecutionTimedOutError,
  fromErrorStorageObject,
} from '../base/errors.ts'
import { TimerQueue } from '../base/timer-queue.ts'
import { deadlineExceeded, deadlineOf, isDeadlineOver } from '../machine/deadline.ts'
import { type Engine } from './engine.ts'
import { type Run } from './run.ts'

export class RunLimits {
  readonly #engine: Pick<Engine, 'doors' | 'store'>
  readonly #onOver: (run: Run, error: DurableExecutionError) => void
  readonly #timers: TimerQueue<Run>

  /** `onOver` hears of runs that have taken too long, and why they must end. */
  constructor(
    engine: Pick<Engine, 'doors' | 'store'>,
    onOver: (run: Run, error: DurableExecutionError) => void,
  ) {
    this.#engine = engine
    this.#onOver = onOver
    this.#timers = new TimerQueue(engine.doors.clock, (run) => this.#over(run))
  }

  /** Times a run whose function was called. */
  set(run: Run): Timer {
    const { row, startedAt } = run
    const { doors, store } = this.#engine
    run.isTimedByDeadline = false
    if (row.deadlineAt !== undefined) {
      const now: Millis = doors.clock.monotonicNow()
      const leftMs = Math.max(0, deadlineOf(row) - store.now())
      run.isTimedByDeadline = now + leftMs <= startedAt + row.timeoutMs
      if (run.isTimedByDeadline) {
        return this.#timers.set(now, leftMs, run)
      }
    }
    return this.#timers.set(startedAt, row.timeoutMs, run)
  }

  /** Nothing is timed any more. */
  clear(): void {
    this.#timers.clear()
  }

  #over(run: Run): void {
    if (!run.isTimedByDeadline) {
      this.#onOver(run, new DurableExecutionTimedOutError())
    } else if (isDeadlineOver(run.row, this.#engine.store.now())) {
      this.#onOver(run, fromErrorStorageObject(deadlineExceeded()))
    } else {
      // A deadline is a moment of the storage's clock, which was found to be behind what was believed.
      run.timer = this.set(run)
    }
  }
}
