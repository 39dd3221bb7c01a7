/**
 * The storage's time, if it has a clock of its own: what it said last, and how long ago that was. A
 * machine's time of day may jump; the time since does not.
 */

import { type Clock, type Millis, type Timer } from '../base/clock.ts'
import { LIMITS } from '../base/limits.ts'
import { type DurableStorage } from '../storage/contract.ts'

// Clocks drift by some milliseconds a minute, which is far below any lease.
const REMEASURE_MS = 60_000
const READINGS = 3
const QUICK_MS = 5

export class StorageClock {
  readonly #storage: DurableStorage
  readonly #clock: Clock
  readonly #limitMs: Millis
  #theirs: { nowMs: Millis; monotonicAt: Millis } | undefined

  /** A reading is off by half of what it took at most: that may be a third of a lease, which is `expireMs` long. */
  constructor(storage: DurableStorage, clock: Clock, expireMs: Millis) {
    this.#storage = storage
    this.#clock = clock
    this.#limitMs = Math.min(LIMITS.clockReadMs, (expireMs * 2) / 3)
  }

  /** Whether the storage has a clock that was never read. */
  get isUnknown(): boolean {
    return this.#theirs === undefined && this.#storage.getCurrentTime !== undefined
  }

  /** How far the storage's clock is ahead of this machine's. */
  get offsetMs(): Millis {
    return this.now() - this.#clock.now()
  }

  now(): Millis {
    const theirs = this.#theirs
    return Math.floor(
      theirs === undefined
        ? this.#clock.now()
        : theirs.nowMs + this.#clock.monotonicNow() - theirs.monotonicAt,
    )
  }

  /** Measures the offset, if the last time was a minute ago or never. */
  async refresh(): Promise<void> {
    const askedAt = this.#clock.monotonicNow()
    if (
      this.#storage.getCurrentTime === undefined ||
      (this.#theirs !== undefined && askedAt - this.#theirs.monotonicAt < REMEASURE_MS)
    ) {
      return
    }
    let best = await this.#measure()
    // The first reading may include the opening of a connection: then the guess is off by half of that.
    for (let readings = 1; best.tookMs > QUICK_MS && readings < READINGS; readings += 1) {
      const next = await this.#measure().catch(() => best)
      best = next.tookMs < best.tookMs ? next : best
    }
    this.#theirs = best
  }

  async #measure(): Promise<{ nowMs: Millis; monotonicAt: Millis; tookMs: Millis }> {
    const askedAt = this.#clock.monotonicNow()
    const theirs = await this.#read()
    const tookMs = this.#clock.monotonicNow() - askedAt
    // The answer was given somewhere on the way; half the way is the best guess.
    return { nowMs: theirs.getTime(), monotonicAt: askedAt + tookMs / 2, tookMs }
  }

  async #read(): Promise<Date> {
    let timer: Timer | undefined
    const limit = new Promise<never>((_, reject) => {
      timer = this.#clock.setTimer(this.#limitMs, () => {
        reject(new Error(`The storage did not say what time it is within ${this.#limitMs} ms`))
      })
    })
    try {
      return await Promise.race([this.#storage.getCurrentTime?.() ?? new Date(this.#clock.now()), limit])
    } finally {
      timer?.cancel()
    }
  }
}
