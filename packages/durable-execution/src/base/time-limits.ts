/** Gives up on work that takes too long. */

import { type Clock, type Millis, type Timer } from './clock.ts'
import { TimerQueue } from './timer-queue.ts'

/** All limits are behind one timer of the clock: each call to a storage has one, and hardly any is ever reached. */
export class TimeLimits {
  readonly #clock: Clock
  readonly #timers: TimerQueue<() => void>

  constructor(clock: Clock) {
    this.#clock = clock
    this.#timers = new TimerQueue(clock, (giveUp) => giveUp())
  }

  /** Whether the timer stays when nothing is waited for; see {@link TimerQueue.linger}. */
  linger(lingers: boolean): void {
    this.#timers.linger(lingers)
  }

  /** Calls the function after the time, unless the timer is cancelled. */
  set(limitMs: Millis, giveUp: () => void): Timer {
    return this.#timers.set(this.#clock.monotonicNow(), limitMs, giveUp)
  }

  /**
   * What the work comes to, if it ends within the time; else rejects with an error that says the message. Work that goes on is
   * left alone. Not by `Promise.race`: what never settles would hold the answer for as long as it is held.
   */
  within<T>(work: Promise<T>, limitMs: Millis, message: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = this.set(limitMs, () => reject(new Error(message)))
      // A storage of the user's may give less than a promise.
      Promise.resolve(work).then(
        (answer) => {
          timer.cancel()
          resolve(answer)
        },
        (error: unknown) => {
          timer.cancel()
          reject(error)
        },
      )
    })
  }
}
