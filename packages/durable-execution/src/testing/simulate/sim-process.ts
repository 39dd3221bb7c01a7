/** A simulated process: it has a clock of its own, stands still, and dies with all that it had under way. */

import { type Clock, type Millis } from '../../base/clock.ts'
import { type Doors } from '../../base/doors.ts'
import { type IdSource } from '../../base/ids.ts'
import { type Chance } from './chance.ts'
import { type Scheduler, type Source } from './scheduler.ts'

// 2030-01-01, as in the clock of tests.
export const EPOCH_MS = 1_893_456_000_000

export class SimProcess {
  readonly name: string
  readonly source: Source
  readonly doors: Doors
  /** How far its clock is ahead of the true time. */
  offsetMs: Millis
  isAlive = true
  readonly #scheduler: Scheduler
  readonly #onDeath: Array<() => void> = []
  #timers = 0

  constructor(name: string, scheduler: Scheduler, chance: Chance, ids: IdSource, offsetMs: Millis) {
    this.name = name
    this.#scheduler = scheduler
    this.source = scheduler.newSource(name)
    this.offsetMs = offsetMs
    this.doors = { clock: this.#clock(), random: chance.branch(name).random, ids }
  }

  /** How many timers are set. */
  get pendingTimers(): number {
    return this.#timers
  }

  /** Nothing of it happens for so long; its time goes on. */
  standStill(ms: Millis): void {
    this.source.heldUntil = Math.max(this.source.heldUntil, this.#scheduler.now + ms)
  }

  /** It goes on. */
  goOn(): void {
    if (this.isAlive) {
      this.source.heldUntil = 0
    }
  }

  /** It is gone, and all that it had under way. */
  die(): void {
    this.isAlive = false
    this.#scheduler.remove(this.source)
    for (const tell of this.#onDeath) {
      tell()
    }
  }

  onDeath(tell: () => void): void {
    this.#onDeath.push(tell)
  }

  #clock(): Clock {
    const scheduler = this.#scheduler
    return {
      now: () => EPOCH_MS + Math.floor(scheduler.now + this.offsetMs),
      monotonicNow: () => scheduler.now,
      setTimer: (ms, fn) => {
        this.#timers += 1
        let isSet = true
        const unset = (): void => {
          this.#timers -= isSet ? 1 : 0
          isSet = false
        }
        const event = scheduler.after(this.source, ms, 'timer', () => {
          unset()
          fn()
        })
        return {
          cancel: () => {
            event.isCancelled = true
            unset()
          },
        }
      },
      setImmediate: (fn) => {
        scheduler.after(this.source, 0, 'turn', fn)
      },
    }
  }
}

/** Ids that are the same in each run of a seed, and sort in the order they were drawn. */
export function createSimIds(): IdSource {
  let drawn = 0
  const next = (): string => {
    drawn += 1
    return drawn.toString().padStart(8, '0')
  }
  return { newExecutionId: () => `te_${next()}`, newId: () => `id_${next()}` }
}
