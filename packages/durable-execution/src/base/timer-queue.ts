/** Many timers of few lengths behind one timer of the clock. */

import { type Clock, type Millis, type Timer } from './clock.ts'

/** A timer of a queue. Cancelling it twice, or after it fired, is fine. */
class QueuedTimer<T> implements Timer {
  readonly dueAt: Millis
  readonly #lane: Lane<T>
  #item: T | undefined

  constructor(lane: Lane<T>, dueAt: Millis, item: T) {
    this.#lane = lane
    this.dueAt = dueAt
    this.#item = item
  }

  get isLive(): boolean {
    return this.#item !== undefined
  }

  cancel(): void {
    this.take()
  }

  /** What the timer is for, once. */
  take(): T | undefined {
    const item = this.#item
    if (item !== undefined) {
      this.#item = undefined
      this.#lane.ended()
    }
    return item
  }
}

// A lane is cleared of timers that have ended when they are this many and the larger part. Those at its
// head go at once, so this is for the ones behind a timer that goes on for long.
const ENDED_BEFORE_CLEARING = 1_000

/** Timers of one length: they come due in the order in which they were set. */
class Lane<T> {
  readonly #onEnded: () => void
  #timers: Array<QueuedTimer<T>> = []
  #head = 0
  #ended = 0

  /** `onEnded` hears of each timer that has fired or was cancelled. */
  constructor(onEnded: () => void) {
    this.#onEnded = onEnded
  }

  add(dueAt: Millis, item: T): QueuedTimer<T> {
    this.#skipEnded()
    if (this.#ended > ENDED_BEFORE_CLEARING && this.#ended * 2 > this.#timers.length - this.#head) {
      this.#timers = this.#timers.slice(this.#head).filter((timer) => timer.isLive)
      this.#head = 0
      this.#ended = 0
    }
    const timer = new QueuedTimer(this, dueAt, item)
    this.#timers.push(timer)
    return timer
  }

  ended(): void {
    this.#ended += 1
    this.#onEnded()
  }

  /** The timer that is due first, if there is one. */
  first(): QueuedTimer<T> | undefined {
    this.#skipEnded()
    return this.#timers[this.#head]
  }

  #skipEnded(): void {
    while (this.#timers[this.#head]?.isLive === false) {
      this.#head += 1
      this.#ended -= 1
    }
    if (this.#head > 0 && this.#head * 2 >= this.#timers.length) {
      this.#timers = this.#timers.slice(this.#head)
      this.#head = 0
    }
  }
}

// Sums of fractions of a millisecond are not exact: a timer that is due in no time would be set for ever.
const ROUNDING_MS = 0.01

const OVERDUE_MS = 60_000

/**
 * Setting and cancelling a timer of the platform costs half a microsecond each, which is much of what a
 * short task costs in all; here both are an entry in a list. `items` must not be `undefined`.
 */
export class TimerQueue<T> {
  readonly #clock: Clock
  readonly #onDue: (item: T) => void
  readonly #lanes = new Map<Millis, Lane<T>>()
  #armed: { dueAt: Millis; timer: Timer } | undefined
  #lingers = true

  constructor(clock: Clock, onDue: (item: T) => void) {
    this.#clock = clock
    this.#onDue = onDue
  }

  /**
   * Whether the timer of the clock stays when what it was for is cancelled, since the next one needs it soon. Where not, nothing is left of it
   * once nothing waits.
   */
  linger(lingers: boolean): void {
    this.#lingers = lingers
    this.#rest()
  }

  /** Calls `onDue` with the item `ms` after `since`, a moment of the monotonic clock; it does not keep the process alive. */
  set(since: Millis, ms: Millis, item: T): Timer {
    let lane = this.#lanes.get(ms)
    if (lane === undefined) {
      this.#dropEmptyLanes()
      lane = new Lane<T>(() => this.#rest())
      this.#lanes.set(ms, lane)
    }
    const timer = lane.add(since + ms, item)
    // A timer that is long overdue never fires: it was set while a test had the platform's timers replaced.
    if (timer.dueAt < this.#armedFor() || this.#armedFor() < since - OVERDUE_MS) {
      this.#arm(timer.dueAt)
    }
    return timer
  }

  /** Cancels all. */
  clear(): void {
    this.#lanes.clear()
    this.#disarm()
  }

  #rest(): void {
    if (!this.#lingers && [...this.#lanes.values()].every((lane) => lane.first() === undefined)) {
      this.#disarm()
    }
  }

  #armedFor(): Millis {
    return this.#armed?.dueAt ?? Infinity
  }

  #arm(dueAt: Millis): void {
    this.#disarm()
    const timer = this.#clock.setTimer(dueAt - this.#clock.monotonicNow(), () => this.#fire())
    this.#armed = { dueAt, timer }
  }

  #disarm(): void {
    this.#armed?.timer.cancel()
    this.#armed = undefined
  }

  #fire(): void {
    this.#armed = undefined
    const now = this.#clock.monotonicNow() + ROUNDING_MS
    let nextAt = Infinity
    for (const lane of this.#lanes.values()) {
      let timer = lane.first()
      for (; timer !== undefined && timer.dueAt <= now; timer = lane.first()) {
        const item = timer.take()
        if (item !== undefined) {
          this.#onDue(item)
        }
      }
      nextAt = Math.min(nextAt, timer?.dueAt ?? Infinity)
    }
    // What was due may have set new ones, and armed for them.
    if (nextAt < this.#armedFor()) {
      this.#arm(nextAt)
    }
  }

  // Tasks have few lengths; but each execution may be given one of its own.
  #dropEmptyLanes(): void {
    if (this.#lanes.size >= 100) {
      for (const [ms, lane] of this.#lanes) {
        if (lane.first() === undefined) {
          this.#lanes.delete(ms)
        }
      }
    }
  }
}
