/**
 * What could not be kept through an outage of the storage: runs whose lease must be believed lapsed, and outcomes that came too late. They
 * are given back when the storage answers again, so that the outage costs them no loss. Whoever is quicker and takes a row back counts one.
 */

import { LIMITS } from '../base/limits.ts'
import { settleRuns } from '../store/settle.ts'
import { isStorageThere, type Transact } from '../store/transact.ts'
import { type Engine } from './engine.ts'
import { type Attempt, releasedEvent } from './run-attempt.ts'

type Late = Pick<Attempt, 'row' | 'lease'>

export class LateReleases {
  readonly #engine: Engine
  #waiting: Array<Late> = []

  constructor(engine: Engine) {
    this.#engine = engine
  }

  add({ row, lease }: Late): void {
    this.#waiting.push({ row, lease })
  }

  /** Gives back what there is; rejects while the storage is away, and keeps it then. */
  async flush(transact: Transact): Promise<void> {
    for (let some = this.#next(); some.length > 0; some = this.#next()) {
      await this.#giveBack(transact, some)
      this.#waiting = this.#waiting.slice(some.length)
    }
  }

  #next(): Array<Late> {
    return this.#waiting.slice(0, LIMITS.settlesPerTransaction)
  }

  async #giveBack(transact: Transact, some: ReadonlyArray<Late>): Promise<void> {
    const { store, logger, tell } = this.#engine
    const settlements = some.map((late) => ({ claimed: late.row, event: releasedEvent(late) }))
    try {
      // By now they may be anybody's: what they are is read under their locks.
      const { effects } = await settleRuns(transact, settlements, store, { isRepeat: true })
      tell(effects)
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
