/** The storage's time, if it has a clock of its own: this machine's clock and a measured offset. */

import { type Clock, type Millis } from '../base/clock.ts'
import { type DurableStorage } from '../storage/contract.ts'

// Clocks drift by some milliseconds a minute, which is far below any lease.
const REMEASURE_MS = 60_000

export class StorageClock {
  readonly #storage: DurableStorage
  readonly #clock: Clock
  #offsetMs = 0
  #measuredAt: Millis | undefined

  constructor(storage: DurableStorage, clock: Clock) {
    this.#storage = storage
    this.#clock = clock
  }

  /** How far the storage's clock is ahead of this machine's. */
  get offsetMs(): Millis {
    return this.#offsetMs
  }

  now(): Millis {
    return Math.floor(this.#clock.now() + this.#offsetMs)
  }

  /** Measures the offset, if the last time was a minute ago or never. */
  async refresh(): Promise<void> {
    const askedAt = this.#clock.monotonicNow()
    if (
      this.#storage.getCurrentTime === undefined ||
      (this.#measuredAt !== undefined && askedAt - this.#measuredAt < REMEASURE_MS)
    ) {
      return
    }
    const theirs = await this.#storage.getCurrentTime()
    const tookMs = this.#clock.monotonicNow() - askedAt
    // The answer was given somewhere on the way; half the way is the best guess.
    this.#offsetMs = theirs.getTime() - (this.#clock.now() - tookMs / 2)
    this.#measuredAt = askedAt
  }
}
