/** The storage's time, if it has a clock of its own: this machine's clock and a measured offset. */

import { type Clock, type Millis, type Timer } from '../base/clock.ts'
import { LIMITS } from '../base/limits.ts'
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

  /** Whether the storage has a clock that was never read. */
  get isUnknown(): boolean {
    return this.#measuredAt === undefined && this.#storage.getCurrentTime !== undefined
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
    const theirs = await this.#read()
    const tookMs = this.#clock.monotonicNow() - askedAt
    // The answer was given somewhere on the way; half the way is the best guess.
    this.#offsetMs = theirs.getTime() - (this.#clock.now() - tookMs / 2)
    this.#measuredAt = askedAt
  }

  async #read(): Promise<Date> {
    let timer: Timer | undefined
    const limit = new Promise<never>((_, reject) => {
      timer = this.#clock.setTimer(LIMITS.clockReadMs, () => {
        reject(new Error(`The storage did not say what time it is within ${LIMITS.clockReadMs} ms`))
      })
    })
    try {
      return await Promise.race([this.#storage.getCurrentTime?.() ?? new Date(this.#clock.now()), limit])
    } finally {
      timer?.cancel()
    }
  }
}
