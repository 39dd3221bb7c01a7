/** What happens in a simulation, drawn from its seed: who is there, what is asked for, what goes wrong and when. */

import { type Millis } from '../../base/clock.ts'
import { type Chance, chanceOf } from './chance.ts'
import { type StorageKind, type Weather } from './connection.ts'
import { drawFlowWork, SIGNALS } from './draw-flow.ts'
import { drawWork, type Work } from './work.ts'

/**
 * What is enqueued. Several under one key have the same work.
 *
 * @category Testing
 */
export type SimWish = {
  id: number
  many: ReadonlyArray<Work>
  sleepMs: Millis
  waits: boolean
  key?: string
  deadlineMs?: Millis
  /** Not before this moment. */
  startAtMs?: Millis
}

/**
 * Something that is done at a moment of a simulation. Each can be left out without making another meaningless.
 *
 * @category Testing
 */
export type SimDeed = { at: Millis } & (
  | ({ what: 'enqueue' } & SimWish)
  /** Cancels the first execution of an enqueue. */
  | { what: 'cancel'; id: number }
  /** Cancels an active execution below the first execution of an enqueue, the `nth` of them, round and round. */
  | { what: 'cancelBelow'; id: number; nth: number }
  /** Sends a signal to all durable code of the first execution's tree that is there by then; `isTwice` only counts with a key. */
  | { what: 'signal'; id: number; name: string; key?: string; isTwice?: boolean }
  | { what: 'crash'; worker: number; downMs: Millis }
  | { what: 'stall'; worker: number; ms: Millis }
  /** Its clock is set forward or back. */
  | { what: 'jump'; worker: number; toMs: Millis }
  | { what: 'leave'; worker: number; graceMs: Millis | undefined; downMs: Millis }
  | { what: 'weather'; weather: Partial<Weather>; ms: Millis }
  | { what: 'full'; ms: Millis }
)

/**
 * A whole simulation.
 *
 * @category Testing
 */
export type SimPlan = {
  seed: string
  storage: StorageKind
  expireMs: Millis
  pollMs: Millis
  slots: number
  workers: ReadonlyArray<{ offsetMs: Millis; knowsTrees: boolean }>
  deeds: ReadonlyArray<SimDeed>
  /** From then on nothing goes wrong any more. */
  calmAtMs: Millis
}

const CALM_AT_MS = 60_000

/** The plan of a seed. */
export function planOf(seed: string): SimPlan {
  const chance = chanceOf(seed)
  const expireMs = chance.pick([3_000, 6_000, 12_000])
  const hasMembers = chance.happens(0.6)
  const storage: StorageKind = {
    hasMembers,
    // A storage that offers more operations keeps the fields that they are about.
    keepsOwnFields: hasMembers || chance.happens(0.6),
    hasClock: chance.happens(0.5),
    hasHints: chance.happens(0.5),
  }
  // Without a clock of the storage's the clocks agree within a third of the lease, all taken together.
  const mostOffMs = storage.hasClock ? 3_600_000 : Math.floor(expireMs / 7)
  const count = chance.between(1, 4)
  const workers = Array.from({ length: count }, (_, index) => ({
    offsetMs: chance.happens(0.5) ? 0 : chance.between(-mostOffMs, mostOffMs),
    knowsTrees: index === 0 || chance.happens(0.75),
  }))
  const deeds = [
    ...drawWishes(chance),
    ...drawTroubles(chance, count, expireMs, mostOffMs),
    ...drawFlows(chance.branch('flows')),
  ]
  return {
    seed,
    storage,
    expireMs,
    pollMs: chance.pick([200, 500, 500, 1_000]),
    slots: chance.pick([1, 3, 10, 100]),
    workers,
    deeds: deeds.toSorted((a, b) => a.at - b.at),
    calmAtMs: CALM_AT_MS,
  }
}

function drawWishes(chance: Chance): Array<SimDeed> {
  const deeds: Array<SimDeed> = []
  const count = chance.between(3, 12)
  for (let id = 0; id < count; id += 1) {
    const at = chance.between(0, CALM_AT_MS * 0.8)
    const many = chance.happens(0.15) ? chance.between(2, 12) : 1
    deeds.push({
      at,
      what: 'enqueue',
      id,
      many: Array.from({ length: many }, () => drawWork(chance, many > 1 ? 1 : 25)),
      sleepMs: chance.happens(0.2) ? chance.between(1, 10_000) : 0,
      waits: chance.happens(0.5),
    })
    if (chance.happens(0.25)) {
      deeds.push({ at: at + chance.between(0, 8_000), what: 'cancel', id })
    }
  }
  return deeds
}

// Beyond the numbers of other wishes.
const FIRST_FLOW = 100

/** Durable code, the signals that it may wait for, and what is said of it when it is enqueued. */
function drawFlows(chance: Chance): Array<SimDeed> {
  const deeds: Array<SimDeed> = []
  const count = chance.between(3, 8)
  for (let nth = 0; nth < count; nth += 1) {
    const id = FIRST_FLOW + nth
    const at = chance.between(0, CALM_AT_MS * 0.7)
    const soon = (mostMs: Millis): Millis => at + chance.between(0, mostMs)
    const work = drawFlowWork(chance, 16)
    const wish: SimWish = { id, many: [work], sleepMs: 0, waits: chance.happens(0.5) }
    if (chance.happens(0.2)) {
      wish.startAtMs = soon(6_000)
    }
    if (chance.happens(0.15)) {
      wish.deadlineMs = chance.between(500, 25_000)
    }
    if (chance.happens(0.25)) {
      wish.key = `key ${id}`
      wish.many = work.kind === 'flow' ? [{ ...work, mark: wish.key }] : [work]
      deeds.push({ at: soon(10_000), what: 'enqueue', ...wish, id: id + FIRST_FLOW })
    }
    deeds.push({ at, what: 'enqueue', ...wish })
    for (let left = chance.between(0, 6); left > 0; left -= 1) {
      const keyed = chance.happens(0.5)
        ? { key: `key ${chance.between(1, 3)}`, isTwice: chance.happens(0.5) }
        : {}
      deeds.push({ at: soon(20_000), what: 'signal', id, name: chance.pick(SIGNALS), ...keyed })
    }
    if (chance.happens(0.25)) {
      deeds.push({ at: soon(15_000), what: 'cancel', id })
    }
    if (chance.happens(0.2)) {
      deeds.push({ at: soon(15_000), what: 'cancelBelow', id, nth: chance.between(0, 20) })
    }
  }
  return deeds
}

function drawTroubles(chance: Chance, workers: number, expireMs: Millis, mostOffMs: Millis): Array<SimDeed> {
  const deeds: Array<SimDeed> = []
  const moment = (): Millis => chance.between(0, CALM_AT_MS * 0.9)
  const worker = (): number => chance.between(0, workers - 1)
  const times = (most: number): number => chance.between(0, most)
  for (let left = times(6); left > 0; left -= 1) {
    deeds.push({ at: moment(), what: 'crash', worker: worker(), downMs: chance.between(0, 10_000) })
  }
  for (let left = times(3); left > 0; left -= 1) {
    deeds.push({ at: moment(), what: 'stall', worker: worker(), ms: chance.between(10, expireMs * 3) })
  }
  for (let left = times(2); left > 0; left -= 1) {
    const toMs = chance.between(-mostOffMs, mostOffMs)
    deeds.push({ at: moment(), what: 'jump', worker: worker(), toMs })
  }
  for (let left = times(2); left > 0; left -= 1) {
    const graceMs = chance.happens(0.3) ? undefined : chance.between(0, 3_000)
    deeds.push({ at: moment(), what: 'leave', worker: worker(), graceMs, downMs: chance.between(0, 10_000) })
  }
  for (let left = times(5); left > 0; left -= 1) {
    deeds.push({
      at: moment(),
      what: 'weather',
      weather: drawWeather(chance),
      ms: chance.between(10, 20_000),
    })
  }
  if (chance.happens(0.2)) {
    deeds.push({ at: moment(), what: 'full', ms: chance.between(100, 15_000) })
  }
  return deeds
}

function drawWeather(chance: Chance): Partial<Weather> {
  const often = (): number => chance.pick([0.02, 0.1, 0.5])
  return {
    ...(chance.happens(0.5) ? { lostRequest: often() } : {}),
    ...(chance.happens(0.5) ? { lostReply: often() } : {}),
    ...(chance.happens(0.3) ? { conflict: often() } : {}),
    ...(chance.happens(0.5) ? { slow: often(), slowMs: chance.pick([50, 1_000, 1_000, 40_000]) } : {}),
    ...(chance.happens(0.5) ? { lostHint: often(), doubledHint: often() } : {}),
  }
}

/** The deed in a line. */
export function describeDeed(deed: SimDeed): string {
  const { at, what, ...rest } = deed
  return `${at} ms: ${what} ${JSON.stringify(rest)}`
}
