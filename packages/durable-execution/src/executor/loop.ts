/** A background loop: a step, a pause, again. It never ends by itself, whatever the step throws. */

import { type Clock, type Millis, type Timer } from '../base/clock.ts'
import { LIMITS } from '../base/limits.ts'
import { jitter, type Random } from '../base/random.ts'

/** What a loop does. */
export type LoopWork = {
  name: string
  clock: Clock
  random: Random
  /** Does the work once; answers how long to pause then. Infinity: until it is woken. */
  step: () => Promise<Millis>
  onError: (error: unknown) => void
  /** The longest pause after errors; default 5 seconds. */
  maxBackoffMs?: Millis
}

const FIRST_BACKOFF_MS = 50

export class Loop {
  readonly name: string
  readonly #work: LoopWork
  #running: Promise<void> | undefined
  #isStopped = false
  // A counter, not a flag: a wake that comes while a step is under way must not be lost.
  #wakes = 0
  #failures = 0
  #failing: { since: Millis; error: unknown } | undefined
  #wake: (() => void) | undefined
  #busySince: Millis | undefined
  #dueAt: Millis | undefined

  constructor(work: LoopWork) {
    this.name = work.name
    this.#work = work
  }

  start(): void {
    if (this.#running === undefined && !this.#isStopped) {
      this.#running = this.#run()
    }
  }

  /** Begins the next step soon: in a later turn of the event loop, after the step under way. */
  wake(): void {
    this.#wakes += 1
    // After an error the pause is kept, or a storage that is away would be asked without end.
    if (this.#failures === 0) {
      this.#wake?.()
    }
  }

  /** Ends the loop after the step under way. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#failures = 0
    this.#wake?.()
    await this.#running
  }

  /** For how long the loop has not done what it should. */
  silentMs(): Millis {
    const now = this.#work.clock.monotonicNow()
    if (this.#busySince !== undefined) {
      return now - this.#busySince
    }
    return this.#dueAt === undefined ? 0 : Math.max(0, now - this.#dueAt)
  }

  /** Since when each step has failed, on the monotonic clock, and with what; undefined if the last one did not. */
  get failing(): { since: Millis; error: unknown } | undefined {
    return this.#isStopped ? undefined : this.#failing
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const wakes = this.#wakes
      const pauseMs = await this.#step()
      if (this.#isStopped) {
        return
      }
      await this.#pause(this.#failures === 0 && this.#wakes !== wakes ? 0 : pauseMs)
    }
  }

  async #step(): Promise<Millis> {
    this.#busySince = this.#work.clock.monotonicNow()
    try {
      const pauseMs = await this.#work.step()
      this.#failures = 0
      this.#failing = undefined
      // What came of a moment that a damaged row holds must not stop the loop.
      return Number.isNaN(pauseMs) ? LIMITS.backgroundBackoffMs : pauseMs
    } catch (error) {
      this.#failures += 1
      this.#failing = { since: this.#failing?.since ?? this.#work.clock.monotonicNow(), error }
      this.#work.onError(error)
      const backoffMs = FIRST_BACKOFF_MS * 2 ** Math.min(this.#failures - 1, 20)
      return jitter(
        Math.min(backoffMs, this.#work.maxBackoffMs ?? LIMITS.backgroundBackoffMs),
        this.#work.random,
      )
    } finally {
      this.#busySince = undefined
    }
  }

  #pause(pauseMs: Millis): Promise<void> {
    const { clock } = this.#work
    return new Promise((resolve) => {
      let timer: Timer | undefined
      const go = (): void => {
        this.#wake = undefined
        this.#dueAt = undefined
        timer?.cancel()
        clock.setImmediate(resolve)
      }
      if (pauseMs <= 0) {
        go()
        return
      }
      this.#wake = go
      if (Number.isFinite(pauseMs)) {
        this.#dueAt = clock.monotonicNow() + pauseMs
        timer = clock.setTimer(pauseMs, go)
      }
    })
  }
}
