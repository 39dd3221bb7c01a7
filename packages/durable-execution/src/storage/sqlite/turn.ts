/** How long transactions that block the process may follow one another before the event loop has its turn. */

import { type Clock, type Millis, nextTurn } from '../../base/clock.ts'

// A turn for each of them would cost a task that runs alone a tenth of what it costs in all.
const TURN_MS = 2

export class TurnShare {
  readonly #clock: Clock
  /** When the share of this turn is used up; undefined before the first transaction of a turn. */
  #endsAt: Millis | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Whether the next one may begin in this turn. Where it may not, wait for `next`. */
  get isLeft(): boolean {
    const now = this.#clock.monotonicNow()
    if (this.#endsAt === undefined) {
      this.#endsAt = now + TURN_MS
      this.#clock.setImmediate(() => {
        this.#endsAt = undefined
      })
    }
    return now < this.#endsAt
  }

  async next(): Promise<void> {
    await nextTurn(this.#clock)
  }
}
