/**
 * Where the last claim ended. Rows that were claimed leave dead entries in the index of the ready rows, which stay
 * for as long as any transaction that is under way may see them; each claim that began at the first entry
 * walked over those of the claims before. With two transactions under way all the time that doubled what a claim costs.
 */

/** A place in the order in which rows are claimed. */
export type Place = { readonly startAt: number; readonly seq: number }

// What became ready before the place meanwhile (a retry that is due, a row given back) waits no longer than this.
const FROM_START_EVERY_MS = 1_000

export class ClaimCursor {
  #taskIds = ''
  #place: Place | undefined
  #begunAtMs = 0

  /** Where to go on; undefined: at the start. */
  placeFor(taskIds: ReadonlyArray<string>, nowMs: number): Place | undefined {
    const isLate = Math.abs(nowMs - this.#begunAtMs) >= FROM_START_EVERY_MS
    return isLate || this.#taskIds !== taskIds.join() ? undefined : this.#place
  }

  /** A claim from that place got all that it asked for, up to the last one. */
  gotAll(taskIds: ReadonlyArray<string>, from: Place | undefined, last: Place, nowMs: number): void {
    if (from === undefined) {
      this.#taskIds = taskIds.join()
      this.#begunAtMs = nowMs
    }
    this.#place = last
  }

  /** There was less than asked for: the next claim begins at the start. */
  gotLess(): void {
    this.#place = undefined
  }
}
