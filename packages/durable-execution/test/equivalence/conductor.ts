/** Lets actors go on one at a time, from border to border, as a generated schedule says. */

import { setTimeout as pause } from 'node:timers/promises'

/** Whether what the actor does just now waits for a lock that another one holds. */
export type IsHeldUp = (actor: number) => boolean | Promise<boolean>

type Actor = {
  state: 'at a border' | 'under way' | 'done'
  go: () => void
}

const LOOK_EVERY_MS = 1

/**
 * Actors come to a border before each thing they do, and wait there for their turn. One that waits for a lock is
 * left waiting, and the others go on.
 */
export class Conductor {
  readonly #schedule: ReadonlyArray<number>
  readonly #isHeldUp: IsHeldUp
  readonly #actors: Array<Actor> = []
  #turns = 0
  #changed = Promise.withResolvers<void>()

  constructor(schedule: ReadonlyArray<number>, isHeldUp: IsHeldUp) {
    this.#schedule = schedule
    this.#isHeldUp = isHeldUp
  }

  /** Where an actor waits for its turn. */
  async border(actor: number): Promise<void> {
    const going = Promise.withResolvers<void>()
    this.#become(actor, { state: 'at a border', go: going.resolve })
    await going.promise
  }

  /** Runs the actors to their ends; rejects if one of them does. */
  async run(actors: ReadonlyArray<() => Promise<void>>): Promise<void> {
    const ends = actors.map(async (act, index) => {
      this.#become(index, { state: 'under way', go: () => {} })
      try {
        await act()
      } finally {
        this.#become(index, { state: 'done', go: () => {} })
      }
    })
    const results = Promise.allSettled(ends)
    await this.#conduct()
    for (const result of await results) {
      if (result.status === 'rejected') {
        throw result.reason
      }
    }
  }

  async #conduct(): Promise<void> {
    for (;;) {
      // Whoever waited for a lock that is free now has it before the next turn is given.
      for (const index of this.#actors.keys()) {
        await this.#rest(index)
      }
      if (this.#actors.every(({ state }) => state === 'done')) {
        return
      }
      const ready = this.#actors.flatMap(({ state }, index) => (state === 'at a border' ? [index] : []))
      const next = ready[(this.#schedule[this.#turns % this.#schedule.length] ?? 0) % ready.length]
      const going = this.#actors[next ?? -1]
      if (next === undefined || going === undefined) {
        await this.#changed.promise
      } else {
        this.#turns += 1
        this.#become(next, { state: 'under way', go: () => {} })
        going.go()
      }
    }
  }

  /** Resolves when the actor has come to a border or to its end, or waits for a lock. */
  async #rest(index: number): Promise<void> {
    while (this.#actors[index]?.state === 'under way') {
      const looking = new AbortController()
      const look = pause(LOOK_EVERY_MS, undefined, { signal: looking.signal }).catch(() => {})
      await Promise.race([this.#changed.promise, look])
      looking.abort()
      if (this.#actors[index]?.state === 'under way' && (await this.#isHeldUp(index))) {
        return
      }
    }
  }

  #become(index: number, actor: Actor): void {
    this.#actors[index] = actor
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}
