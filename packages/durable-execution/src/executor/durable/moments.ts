/** Moments that a run waits for while it is here. */

import { type Millis, type Timer } from '../../base/clock.ts'
import { LIMITS } from '../../base/limits.ts'
import { type Engine } from '../engine.ts'

export class Moments {
  readonly #engine: Engine
  readonly #run: { isOver: () => boolean }
  #timers: Set<Timer> | undefined

  constructor(engine: Engine, run: { isOver: () => boolean }) {
    this.#engine = engine
    this.#run = run
  }

  /** Whether the moment is so near that the run waits for it. */
  isNear(moment: Millis): boolean {
    return moment - this.#engine.store.now() <= LIMITS.inPlaceMs
  }

  /** Resolves at that moment. For pauses that are too short to leave for. */
  until(moment: Millis): Promise<void> {
    return moment <= this.#engine.store.now()
      ? Promise.resolve()
      : new Promise((resolve) => {
          this.at(moment, resolve)
        })
  }

  /** Calls the function once the moment has come, if the run is still there then. */
  at(moment: Millis, fn: () => void): void {
    if (this.#run.isOver()) {
      // Nobody would cancel it, and it would keep the run for as long as it lasts.
      return
    }
    const ms = moment - this.#engine.store.now()
    const timer = this.#engine.doors.clock.setTimer(ms, () => {
      this.#timers?.delete(timer)
      if (!this.#run.isOver()) {
        fn()
      }
    })
    this.#timers ??= new Set()
    this.#timers.add(timer)
  }

  /** Nothing is waited for any more. */
  clear(): void {
    for (const timer of this.#timers ?? []) {
      timer.cancel()
    }
    this.#timers = undefined
  }
}
