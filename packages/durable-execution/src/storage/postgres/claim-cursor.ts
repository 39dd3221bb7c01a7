/**
 * Where the last claim ended. Rows that were claimed leave dead entries in the index of the ready rows, which stay
 * for as long as any transaction that is under way may see them; each claim that began at the first entry
 * walked over those of the claims before. With two transactions under way all the time that doubled what a claim costs. A claim that is
 * given a place goes on from that of the last claim of all processes (`claims-functions.ts`).
 */

/** A place in the order in which rows of one priority are claimed. */
export type Place = { readonly startAt: number; readonly seq: number }

/** For each priority that rows were taken of: where to go on. */
export type Places = ReadonlyMap<number, Place>

/** A row that was taken. */
export type Taken = Place & { readonly priority: number }

// What became ready before the place meanwhile (a retry that is due, a row given back) waits no longer than this.
const FROM_START_EVERY_MS = 1_000
// Each is handed over with every claim.
const MOST_PLACES = 100

const NO_PLACES: Places = new Map()

export class ClaimCursor {
  #taskIds = ''
  #places = new Map<number, Place>()
  #begunAtMs = 0
  #prioritizedAtMs = -Infinity

  /**
   * Where to go on; empty: at the start. A priority without a place is claimed from its start, so what becomes due with
   * another one is never passed by.
   */
  placesFor(taskIds: ReadonlyArray<string>, nowMs: number): Places {
    const isLate = Math.abs(nowMs - this.#begunAtMs) >= FROM_START_EVERY_MS
    return isLate || this.#taskIds !== taskIds.join() ? NO_PLACES : this.#places
  }

  /** A claim from those places got all that it asked for; the rows of each priority in their order. */
  gotAll(taskIds: ReadonlyArray<string>, from: Places, taken: Iterable<Taken>, nowMs: number): void {
    if (from.size === 0) {
      this.#taskIds = taskIds.join()
      this.#begunAtMs = nowMs
    }
    this.#places = new Map(from)
    for (const { priority, startAt, seq } of taken) {
      this.#places.set(priority, { startAt, seq })
    }
    if (this.#places.size > MOST_PLACES) {
      this.gotLess()
    }
  }

  /** There was less than asked for: the next claim begins at the start. */
  gotLess(): void {
    this.#places = new Map()
  }

  /** Whether some ready row was seen a moment ago to have a priority. */
  hasPriorities(nowMs: number): boolean {
    return Math.abs(nowMs - this.#prioritizedAtMs) < FROM_START_EVERY_MS
  }

  sawPriorities(nowMs: number): void {
    this.#prioritizedAtMs = nowMs
  }
}
