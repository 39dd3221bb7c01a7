/** Disturbs the workers of a round, one thing after another, until it is told to stop. */

import { setTimeout as pause } from 'node:timers/promises'

import { between, oneOf, shuffled } from './chance.ts'
import { type DisturbanceKind } from './check.ts'
import { type Crew } from './crew.ts'
import { type Place } from './places.ts'

export type Disturbing = {
  place: Place
  expireMs: number
  /** How many workers there are to begin with; they become one or two more, and fewer again. */
  workers: number
  random: () => number
  until: AbortSignal
  /** How much has been done so far, in any unit that grows. */
  done: () => number
  /** After how much more of it the next strike is due. */
  every: number
}

// How much longer than its lease a worker stands still.
const BEYOND_LEASE_MS = 1_500

// Strikes follow the work, so that a slow machine is not disturbed more than a fast one; within bounds.
const AT_LEAST_MS = 400
const AT_MOST_MS = 5_000
const LOOK_EVERY_MS = 50

// Drawn like cards, none twice before all were drawn, so that every round has some of each. Most are kills: they cost the
// least time, and leave the most behind.
const CARDS: ReadonlyArray<[DisturbanceKind, number]> = [
  ['kill', 14],
  ['restart', 2],
  ['deploy', 3],
  ['join', 2],
  ['leave', 2],
  ['stall', 3],
  ['disconnect', 2],
  ['lock', 2],
  ['outage', 1],
]

/** Resolves when nothing is stopped or being replaced any more. */
export async function disturb(crew: Crew, options: Disturbing): Promise<void> {
  const nemesis = new Nemesis(crew, options)
  const going = new Set<Promise<void>>()
  const failures: Array<unknown> = []
  while (!options.until.aborted) {
    await untilDue(crew, options)
    const step = nemesis.strike().catch((error: unknown) => {
      failures.push(error)
    })
    going.add(step)
    void step.finally(() => going.delete(step))
  }
  await Promise.all(going)
  if (failures.length > 0) {
    throw failures[0]
  }
}

async function untilDue(crew: Crew, { done, every, until }: Disturbing): Promise<void> {
  const before = done()
  const beganAt = performance.now()
  for (;;) {
    await pause(LOOK_EVERY_MS)
    const waited = performance.now() - beganAt
    const isDue = waited > AT_MOST_MS || (waited > AT_LEAST_MS && done() - before >= every)
    // On a machine so busy that starting takes longer than that, nobody would be left who works.
    if (until.aborted || (isDue && crew.isMostlyUp)) {
      return
    }
  }
}

class Nemesis {
  readonly #crew: Crew
  readonly #options: Disturbing
  // A lock is held by a connection, which a disconnect would break and an outage too.
  #isStorageBusy = false
  #deck: Array<DisturbanceKind> = []

  constructor(crew: Crew, options: Disturbing) {
    this.#crew = crew
    this.#options = options
  }

  async strike(): Promise<void> {
    const { random, expireMs, place, workers } = this.#options
    const [crew, kind] = [this.#crew, this.#draw()]
    switch (kind) {
      case 'disconnect':
      case 'lock':
      case 'outage':
        await this.#strikeStorage(kind)
        return
      case 'join':
        if (crew.size < workers + 2) {
          await crew.join(oneOf(random, ['old', 'new']))
        }
        return
      case 'kill':
      case 'restart':
      case 'deploy':
      case 'leave':
      case 'stall':
        break
    }
    const seat = crew.idleSeat(random)
    if (seat === undefined) {
      this.#deck.push(kind)
      return
    }
    if (kind === 'stall') {
      // Stopped in the middle of a transaction a process keeps the lock of a SQLite file, and so stalls everybody.
      await crew.stall(seat, expireMs + BEYOND_LEASE_MS, place.name.kind === 'sqlite')
    } else if (kind === 'restart') {
      await crew.restart(seat)
    } else if (kind === 'deploy' && crew.isReplaceable(seat)) {
      await crew.deploy(seat)
    } else if (kind === 'leave' && crew.size >= workers && crew.isReplaceable(seat)) {
      await crew.leave(seat)
    } else {
      await crew.kill(seat)
    }
  }

  #draw(): DisturbanceKind {
    const { place, random } = this.#options
    if (this.#deck.length === 0) {
      const { disconnect, restartServer } = place
      const isPossible = (kind: DisturbanceKind): boolean =>
        (kind !== 'disconnect' || disconnect !== undefined) &&
        (kind !== 'outage' || restartServer !== undefined)
      const cards = CARDS.filter(([kind]) => isPossible(kind))
      this.#deck = shuffled(
        cards.flatMap(([kind, count]) => Array.from({ length: count }, () => kind)),
        random,
      )
    }
    return this.#deck.pop() ?? 'kill'
  }

  async #strikeStorage(kind: 'disconnect' | 'lock' | 'outage'): Promise<void> {
    const { place, random, expireMs } = this.#options
    if (this.#isStorageBusy) {
      this.#deck.unshift(kind)
      return
    }
    this.#isStorageBusy = true
    const disturbance = this.#crew.note(kind, undefined)
    try {
      if (kind === 'lock') {
        // Mostly short, and now and then for longer than any lease lasts.
        await place.lock(random() < 0.75 ? between(random, 100, 800) : expireMs + between(random, 0, 1_000))
      } else if (kind === 'disconnect') {
        await place.disconnect?.()
      } else {
        await place.restartServer?.({ isGraceful: random() < 0.3 })
      }
    } finally {
      disturbance.until = Date.now()
      this.#isStorageBusy = false
    }
  }
}
