/** The functions of the steps of a run that have not ended. */

import { isPromiseLike, type MaybePromise } from '../../base/promise.ts'

export class StepsAtWork {
  readonly #run: { stepsEnded: () => void }
  #count = 0

  /** `stepsEnded` is called when the last one has ended. */
  constructor(run: { stepsEnded: () => void }) {
    this.#run = run
  }

  get areAtWork(): boolean {
    return this.#count > 0
  }

  /** Calls the function; it is at work until what it gives has settled. */
  during<T>(fn: () => MaybePromise<T>): MaybePromise<T> {
    this.#count += 1
    try {
      const result = fn()
      if (isPromiseLike(result)) {
        return this.#untilEnded(result)
      }
      this.#ended()
      return result
    } catch (error) {
      this.#ended()
      throw error
    }
  }

  async #untilEnded<T>(work: Promise<T>): Promise<T> {
    try {
      return await work
    } finally {
      this.#ended()
    }
  }

  #ended(): void {
    this.#count -= 1
    if (this.#count === 0) {
      this.#run.stepsEnded()
    }
  }
}
