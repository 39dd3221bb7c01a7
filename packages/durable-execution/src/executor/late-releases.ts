/**
 * What could not be kept through an outage of the storage: runs whose lease must be believed lapsed, and outcomes that came too late. They
 * are given back when the storage answers again, so that the outage costs them no loss. Whoever is quicker and takes a row back counts one.
 */

import { LIMITS } from '../base/limits.ts'
import { isStorageThere, type Transact } from '../store/transact.ts'
import { type Engine } from './engine.ts'
import { type Held, release } from './give-back.ts'

export class LateReleases {
  readonly #engine: Engine
  #waiting: Array<Held> = []

  constructor(engine: Engine) {
    this.#engine = engine
  }

  add({ row, lease }: Held): void {
    this.#waiting.push({ row, lease })
  }

  /** Gives back what there is; rejects while the storage is away, and keeps it then. */
  async flush(transact: Transact): Promise<void> {
    for (let some = this.#next(); some.length > 0; some = this.#next()) {
      await this.#giveBack(transact, some)
      this.#waiting = this.#waiting.slice(some.length)
    }
  }

  #next(): Array<Held> {
    return this.#waiting.slice(0, LIMITS.settlesPerTransaction)
  }

  async #giveBack(transact: Transact, some: ReadonlyArray<Held>): Promise<void> {
    const { logger, tell } = this.#engine
    try {
      tell(await release(this.#engine, transact, some, true))
    } catch (error) {
      const [first] = some
      if (first === undefined || !(await isStorageThere(transact, first.row.executionId))) {
        throw error
      }
      logger.error(
        `${some.length} runs that outlived an outage could not be given back; they count as lost`,
        error,
      )
    }
  }
}
