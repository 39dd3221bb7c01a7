/** Looks whether another connection has committed something, and says so. */

import { systemClock, type Timer } from '../../base/clock.ts'
import { type DurableStorageChangeHint } from '../contract.ts'

/** Called when something may have changed. */
type ChangeListener = (hint: DurableStorageChangeHint) => void

/** Listeners, and the one timer that serves them all. */
export type ChangeWatch = {
  /** Adds a listener; gives the function that removes it. */
  add: (listener: ChangeListener) => () => void
  /** Removes all. */
  stop: () => void
}

// A look costs 4.3 µs on a file (20,000 runs of the prepared pragma); the timer costs more: with one every 20 ms an idle process used 0.6 % of a core.
const LOOK_EVERY_MS = 30

/**
 * Watches a number that changes when, and only when, another connection has committed. The timer runs
 * while there is a listener, and does not keep the process alive.
 */
export function createChangeWatch(readVersion: () => number): ChangeWatch {
  const listeners = new Set<ChangeListener>()
  let timer: Timer | undefined
  let seen: number | undefined
  const look = (): void => {
    const version = quietly(readVersion)
    const hasChanged = version !== undefined && seen !== undefined && version !== seen
    seen = version ?? seen
    if (hasChanged) {
      for (const listener of listeners) {
        quietly(() => listener({ ready: true }))
      }
    }
  }
  const schedule = (): void => {
    timer = systemClock.setTimer(LOOK_EVERY_MS, () => {
      look()
      if (timer !== undefined) {
        schedule()
      }
    })
  }
  const stop = (): void => {
    listeners.clear()
    timer?.cancel()
    timer = undefined
  }
  return {
    add: (listener) => {
      // A listener given twice is two listeners, each removed by its own function.
      const own: ChangeListener = (hint) => listener(hint)
      listeners.add(own)
      if (timer === undefined) {
        seen = quietly(readVersion)
        schedule()
      }
      return () => {
        listeners.delete(own)
        if (listeners.size === 0) {
          stop()
        }
      }
    },
    stop,
  }
}

// A look that fails is made up for by the next, and a listener that throws is its owner's affair.
function quietly<T>(call: () => T): T | undefined {
  try {
    return call()
  } catch {
    return undefined
  }
}
