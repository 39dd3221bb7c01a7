/** Turns: so many at a time, in the order of asking. */

export class Turns {
  readonly #waiting: Array<() => void> = []
  #free: number

  constructor(atATime: number) {
    this.#free = atATime
  }

  /** Does the work when it is its turn. */
  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) {
      this.#free -= 1
    } else {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve)
      })
    }
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) {
        this.#free += 1
      } else {
        next()
      }
    }
  }
}
