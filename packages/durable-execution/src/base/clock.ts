/** The one door to time: what the engine reads instants from and sets timers with. */

/** An instant or a duration in milliseconds. */
export type Millis = number

/** A timer that was set; cancelling it twice, or after it fired, is fine. */
export type Timer = { cancel: () => void }

/**
 * Where time comes from. Instants (`now`) may jump; durations are taken from `monotonicNow`, which
 * never goes back.
 *
 * @category Testing
 */
export type Clock = {
  /** The time of day in milliseconds since 1970. */
  now: () => Millis
  /** Milliseconds since some fixed moment; never goes back. */
  monotonicNow: () => Millis
  /**
   * Calls `fn` once, after `ms` milliseconds (at least; 0 and less: in a later turn). Any length
   * works, up to a hundred years and more.
   */
  setTimer: (ms: Millis, fn: () => void, options?: { keepsProcessAlive?: boolean }) => Timer
  /** Calls `fn` in a later turn of the event loop, after what is due now. */
  setImmediate: (fn: () => void) => void
}

// Node fires at once, with a warning, when a delay does not fit in 31 bits. A longer one is walked
// in stretches.
const LONGEST_STRETCH_MS = 2 ** 31 - 1

class SystemTimer implements Timer {
  #handle: NodeJS.Timeout

  constructor(ms: Millis, fn: () => void, keepsProcessAlive: boolean) {
    this.#handle = this.#set(ms > 0 ? ms : 0, fn)
    if (!keepsProcessAlive) {
      this.#handle.unref()
    }
  }

  cancel(): void {
    clearTimeout(this.#handle)
  }

  #set(delay: Millis, fn: () => void): NodeJS.Timeout {
    if (delay <= LONGEST_STRETCH_MS) {
      return setTimeout(fn, delay)
    }
    const dueAt = performance.now() + delay
    return setTimeout(() => {
      const isReferenced = this.#handle.hasRef()
      this.#handle = this.#set(dueAt - performance.now(), fn)
      if (!isReferenced) {
        this.#handle.unref()
      }
    }, LONGEST_STRETCH_MS)
  }
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicNow: () => performance.now(),
  setTimer: (ms, fn, { keepsProcessAlive = false } = {}) => new SystemTimer(ms, fn, keepsProcessAlive),
  setImmediate: (fn) => {
    setImmediate(fn)
  },
}

/** Resolves after `ms` milliseconds of the given clock; keeps the process alive meanwhile. */
export function sleep(clock: Clock, ms: Millis): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimer(ms, resolve, { keepsProcessAlive: true })
  })
}

/** Resolves in a later turn of the event loop, after what is due now. */
export function nextTurn(clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    clock.setImmediate(resolve)
  })
}

/** Whether the work ended within the time; with `Infinity` it is waited for. Work that goes on is left alone. */
export async function endsWithin(clock: Clock, work: Promise<unknown>, limitMs: Millis): Promise<boolean> {
  if (limitMs === Infinity) {
    await work
    return true
  }
  let timer: Timer | undefined
  const limit = new Promise<boolean>((resolve) => {
    timer = clock.setTimer(limitMs, () => resolve(false), { keepsProcessAlive: true })
  })
  const isDone = await Promise.race([work.then(() => true), limit])
  timer?.cancel()
  return isDone
}
