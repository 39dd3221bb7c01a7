/** Disturbs the workers of a round, one thing after another, until it is told to stop. */

import { setTimeout as pause } from 'node:timers/promises'

import { type Crew } from './crew.ts'
import { type Place } from './places.ts'

export type Disturbing = {
  place: Place
  expireMs: number
  random: () => number
  until: AbortSignal
}

// How much longer than its lease a worker stands still.
const BEYOND_LEASE_MS = 1_500
const BETWEEN_MS = 800

/** Resolves when nothing is stopped or being replaced any more. */
export async function disturb(crew: Crew, { place, expireMs, random, until }: Disturbing): Promise<void> {
  const going = new Set<Promise<void>>()
  const failures: Array<unknown> = []
  while (!until.aborted) {
    const step = strike(crew, { place, expireMs, random }).catch((error: unknown) => {
      failures.push(error)
    })
    going.add(step)
    void step.finally(() => going.delete(step))
    await pause(BETWEEN_MS * (0.5 + random()), undefined, { signal: until }).catch(() => {})
  }
  await Promise.all(going)
  if (failures.length > 0) {
    throw failures[0]
  }
}

async function strike(
  crew: Crew,
  { place, expireMs, random }: Omit<Disturbing, 'until'>,
): Promise<void> {
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
