/** Looks, while a run is at work, for what it waits for beside that: when it is told, and else now and then. */

import { type Timer } from '../../base/clock.ts'
import { LIMITS } from '../../base/limits.ts'
import { type DurableSuspensionStorageObject } from '../../machine/execution.ts'
import { type Engine } from '../engine.ts'

// So many are listened for; the rest is found by looking.
const MOST_LISTENED = 100

const NOTHING: ReadonlySet<string> = new Set()

/** Calls the function when a row with one of the ids may have changed, until the function that it gives is called. */
export type OnTold = (executionIds: ReadonlyArray<string>, fn: () => void) => () => void

/** A call that waits for something outside. */
export type Wait = {
  /** What the row says of it. */
  suspension: () => DurableSuspensionStorageObject
  /** Rows that end the wait when they come, or change. */
  ids: () => ReadonlyArray<string>
  /** Those rows may have come or changed, and were read. */
  onLook: () => void
}

/** What is waited for. */
export type Watched = {
  /** Rows that may come or change. */
  ids: () => ReadonlyArray<string>
  /** Reads them, and tells those who wait. */
  look: (executionIds: ReadonlyArray<string>) => Promise<void>
}

export class Watch {
  readonly #engine: Engine
  readonly #onTold: OnTold
  readonly #watched: Watched
  #timer: Timer | undefined
  #unlisten: (() => void) | undefined
  /** Each look has its own number; one that is not the last any more says nothing. */
  #looks = 0
  /** What is looked for now. */
  #ids: ReadonlySet<string> = NOTHING

  constructor(engine: Engine, onTold: OnTold, watched: Watched) {
    this.#engine = engine
    this.#onTold = onTold
    this.#watched = watched
  }

  /** Looks now, if something new is waited for, and again whenever something may have changed. */
  start(): void {
    if (this.#watched.ids().some((id) => !this.#ids.has(id))) {
      void this.#look()
    }
  }

  stop(): void {
    this.#ids = NOTHING
    this.#looks += 1
    this.#rest()
  }

  #rest(): void {
    this.#timer?.cancel()
    this.#unlisten?.()
    this.#timer = undefined
    this.#unlisten = undefined
  }

  async #look(): Promise<void> {
    this.#rest()
    this.#looks += 1
    const look = this.#looks
    const ids = this.#watched.ids()
    this.#ids = new Set(ids)
    if (ids.length === 0) {
      return
    }
    let isTold = false
    let isLooking = true
    // From before the look, so that what changes during it is not missed.
    this.#unlisten = this.#onTold(ids.slice(0, MOST_LISTENED), () => {
      isTold = true
      if (!isLooking) {
        void this.#look()
      }
    })
    try {
      await this.#watched.look(ids)
    } catch (error) {
      this.#engine.logger.debug('What a run waits for could not be looked for', error)
    }
    isLooking = false
    if (look !== this.#looks) {
      return
    }
    if (isTold) {
      void this.#look()
    } else {
      this.#timer = this.#engine.doors.clock.setTimer(LIMITS.waitPollMs, () => void this.#look())
    }
  }
}
