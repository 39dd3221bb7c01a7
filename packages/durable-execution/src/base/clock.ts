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

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicNow: () => performance.now(),
  setTimer: (ms, fn, { keepsProcessAlive = false } = {}) => {
    const delay = ms > 0 ? ms : 0
    if (delay <= LONGEST_STRETCH_MS) {
      const handle = setTimeout(fn, delay)
      if (!keepsProcessAlive) {
        handle.unref()
      }
      return { cancel: () => clearTimeout(handle) }
    }
    const dueAt = performance.now() + delay
    let handle: NodeJS.Timeout
    const walk = (): void => {
      const left = dueAt - performance.now()
      handle = left > 0 ? setTimeout(walk, Math.min(left, LONGEST_STRETCH_MS)) : setTimeout(fn, 0)
      if (!keepsProcessAlive) {
        handle.unref()
      }
    }
    walk()
    return { cancel: () => clearTimeout(handle) }
  },
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
