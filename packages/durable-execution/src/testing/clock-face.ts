/** A clock as one process sees it: the time of another clock, with timers of its own that end with the process. */

import { type Clock, type Millis, type Timer } from '../base/clock.ts'

/** A clock with timers of its own. */
export type ClockFace = Clock & {
  /** When the first of its timers is due, on the monotonic clock; undefined if none is set. */
  nextTimerAt: () => Millis | undefined
  /** Takes away its timers, for good: nothing that was or is set by it ever fires. */
  end: () => void
}

export function createClockFace(clock: Clock): ClockFace {
  const own = new Map<Timer, Millis>()
  let isOver = false
  return {
    now: () => clock.now(),
    monotonicNow: () => clock.monotonicNow(),
    setTimer: (ms, fn, options) => {
      if (isOver) {
        return { cancel: () => {} }
      }
      const inner = clock.setTimer(
        ms,
        () => {
          own.delete(timer)
          fn()
        },
        options,
      )
      const timer: Timer = {
        cancel: () => {
          own.delete(timer)
          inner.cancel()
        },
      }
      own.set(timer, clock.monotonicNow() + Math.max(ms, 0))
      return timer
    },
    setImmediate: (fn) => {
      clock.setImmediate(() => {
        if (!isOver) {
          fn()
        }
      })
    },
    nextTimerAt: () => {
      let earliest: Millis | undefined
      for (const at of own.values()) {
        earliest = Math.min(earliest ?? Infinity, at)
      }
      return earliest
    },
    end: () => {
      isOver = true
      for (const timer of own.keys()) {
        timer.cancel()
      }
    },
  }
}
