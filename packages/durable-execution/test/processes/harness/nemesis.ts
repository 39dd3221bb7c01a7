/** Disturbs the workers of a round, one thing after another, until it is told to stop. */

import { setTimeout as pause } from 'node:timers/promises'

import { type Crew } from './crew.ts'
import { type Place } from './places.ts'

export type Disturbing = {
  place: Place
  expireMs: number
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
const AT_MOST_MS = 8_000
const LOOK_EVERY_MS = 50

/** Resolves when nothing is stopped or being replaced any more. */
export async function disturb(crew: Crew, options: Disturbing): Promise<void> {
  const going = new Set<Promise<void>>()
  const failures: Array<unknown> = []
  while (!options.until.aborted) {
    await untilDue(options)
    const step = strike(crew, options).catch((error: unknown) => {
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

async function untilDue({ done, every, until }: Disturbing): Promise<void> {
  const before = done()
  const beganAt = performance.now()
  for (;;) {
    await pause(LOOK_EVERY_MS)
    const waited = performance.now() - beganAt
    if (until.aborted || waited > AT_MOST_MS || (waited > AT_LEAST_MS && done() - before >= every)) {
      return
    }
  }
}

async function strike(crew: Crew, { place, expireMs, random }: Disturbing): Promise<void> {
  const chance = random()
  const seat = crew.idleSeat(random)
  if (chance < 0.15 && place.disconnect !== undefined) {
    if ((await place.disconnect()) > 0) {
      crew.noteDisconnect()
    }
  } else if (seat === undefined) {
    return
  } else if (chance < 0.7) {
    await crew.kill(seat)
  } else if (chance < 0.87) {
    await crew.restart(seat)
  } else {
    // Stopped in the middle of a transaction a process keeps the lock of a SQLite file, and so stalls everybody.
    await crew.stall(seat, expireMs + BEYOND_LEASE_MS, place.name.kind === 'sqlite')
  }
}
