/** Finds the moment at which the code of a run has begun all the calls that it makes before it waits. */

import { type Clock } from '../../base/clock.ts'

export class QuietTurn {
  readonly #clock: Pick<Clock, 'setImmediate'>
  readonly #onQuiet: () => void
  #begun = 0
  #isDue = false

  /** `onQuiet` is called after a turn of the event loop in which no call was begun. */
  constructor(clock: Pick<Clock, 'setImmediate'>, onQuiet: () => void) {
    this.#clock = clock
    this.#onQuiet = onQuiet
  }

  /** A call was begun. */
  noteBegun(): void {
    this.#begun += 1
  }

  /** Waits for the next quiet turn, unless that is waited for already. */
  await(): void {
    if (!this.#isDue) {
      this.#isDue = true
      this.#lookAfter(this.#begun)
    }
  }

  #lookAfter(begun: number): void {
    this.#clock.setImmediate(() => {
      if (this.#begun !== begun) {
        this.#lookAfter(this.#begun)
        return
      }
      this.#isDue = false
      this.#onQuiet()
    })
  }
}
