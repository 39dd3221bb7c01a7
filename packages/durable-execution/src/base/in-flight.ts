/** Counts work that is under way, and waits for its end. */

// It keeps no list of the promises: a set of them, emptied and filled all the time, would hold their answers for long after
// (see `ChurningMap`).
export class InFlight {
  #count = 0
  #waiting: Array<() => void> = []

  /** Does the work, and counts it until it has ended. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    this.#count += 1
    try {
      return await work()
    } finally {
      this.#count -= 1
      if (this.#count === 0) {
        for (const resolve of this.#waiting.splice(0)) {
          resolve()
        }
      }
    }
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#count > 0) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve)
      })
    }
  }
}
