/** Waiting for the next change of something. */

export class Changes {
  #waiting: Array<() => void> = []

  /** Resolves when something has changed. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
    })
  }

  /** Tells those who wait; costs nothing where nobody does. */
  tell(): void {
    if (this.#waiting.length > 0) {
      const waiting = this.#waiting
      this.#waiting = []
      for (const resolve of waiting) {
        resolve()
      }
    }
  }
}
