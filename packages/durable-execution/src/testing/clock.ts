/** A clock that a test moves: no test sleeps, and a delay of 35 days takes no time. */

import { type Clock, type Millis } from '../base/clock.ts'
import { DurableExecutionError } from '../base/errors.ts'
import { TestKitError } from './kit-error.ts'

/**
 * A clock that stands still until it is moved.
 *
 * @category Testing
 */
export type TestClock = Clock & {
  /**
   * Moves time forward and fires every timer on the way, in order, letting what each one starts come to
   * rest before the next. Milliseconds, or a text such as `90s`, `15m`, `2h`, `35d`.
   */
  advance: (by: Millis | string) => Promise<void>
  /**
   * Moves time forward at once, as a machine does that was asleep: only then are the timers fired that
   * have come due, each once. For long times, in which loops would turn millions of times.
   */
  leap: (by: Millis | string) => Promise<void>
  /** Lets everything that is due now come to rest, without moving time. */
  settle: () => Promise<void>
  /** Sets the time of day without the monotonic clock noticing, as an operator or a time server does. */
  jump: (by: Millis | string) => void
  /** How many timers are set. */
  pendingTimers: () => number
}

const UNITS: Record<string, Millis> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

// What is under way comes to rest within so many turns of the event loop in which it touches the clock no more.
const QUIET_TURNS = 12

type Pending = { at: Millis; order: number; fn: () => void }

/**
 * Creates a clock for tests.
 *
 * @param options - `now`: the time of day it starts at; default 2030-01-01.
 *
 * @category Testing
 */
export function createTestClock(options: { now?: Date } = {}): TestClock {
  let elapsedMs = 0
  let startMs = (options.now ?? new Date('2030-01-01T00:00:00Z')).getTime()
  let order = 0
  let touches = 0
  const pending = new Set<Pending>()

  const settle = async (): Promise<void> => {
    for (let quiet = 0; quiet < QUIET_TURNS;) {
      const before = touches
      await new Promise<void>((resolve) => {
        setImmediate(resolve)
      })
      quiet = touches === before ? quiet + 1 : 0
    }
  }
  const fireUntil = async (until: Millis): Promise<void> => {
    for (let timer = earliest(until); timer !== undefined; timer = earliest(until)) {
      pending.delete(timer)
      elapsedMs = Math.max(elapsedMs, timer.at)
      timer.fn()
      await settle()
    }
  }
  const earliest = (until: Millis): Pending | undefined => {
    let found: Pending | undefined
    for (const timer of pending) {
      const isEarlier =
        found === undefined || timer.at < found.at || (timer.at === found.at && timer.order < found.order)
      if (timer.at <= until && isEarlier) {
        found = timer
      }
    }
    return found
  }

  return {
    now: () => startMs + elapsedMs,
    monotonicNow: () => elapsedMs,
    setTimer: (ms, fn) => {
      touches += 1
      order += 1
      const timer: Pending = { at: elapsedMs + Math.max(ms, 0), order, fn }
      pending.add(timer)
      return { cancel: () => void pending.delete(timer) }
    },
    setImmediate: (fn) => {
      touches += 1
      setImmediate(fn)
    },
    advance: async (by) => {
      const until = elapsedMs + toMillis(by)
      await settle()
      await fireUntil(until)
      elapsedMs = until
    },
    leap: async (by) => {
      await settle()
      elapsedMs += toMillis(by)
      await fireUntil(elapsedMs)
    },
    settle,
    jump: (by) => {
      startMs += toMillis(by)
    },
    pendingTimers: () => pending.size,
  }
}

/** A length of time that is given to somebody who only moves forward. */
export function toForwardMillis(by: Millis | string): Millis {
  const ms = toMillis(by)
  if (!Number.isFinite(ms) || ms < 0) {
    throw new TestKitError(`Time only moves forward: give 0 ms or more, got ${by}`)
  }
  return ms
}

function toMillis(by: Millis | string): Millis {
  if (typeof by === 'number') {
    return by
  }
  const match = /^(-?\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(by)
  const unit = UNITS[match?.[2] ?? '']
  if (match === null || unit === undefined) {
    throw new DurableExecutionError(`"${by}" is no length of time; write 500ms, 90s, 15m, 2h or 35d`, false)
  }
  return Number(match[1]) * unit
}
