/** Those who wait for executions to finish: told in memory, hinted at by the storage, or else looking now and then. */

import { type CancelSignal } from '../base/cancel.ts'
import { type Clock, type Millis } from '../base/clock.ts'

type Waiter = { tell: () => void }

export class Waiters {
  readonly #clock: Clock
  readonly #onCount: (count: number) => void
  readonly #byId = new Map<string, Set<Waiter>>()
  #count = 0

  /** `onCount` hears how many wait: while somebody does, hints are worth listening for. */
  constructor(clock: Clock, onCount: (count: number) => void) {
    this.#clock = clock
    this.#onCount = onCount
  }

  /** These executions have finished. */
  told(executionIds: ReadonlyArray<string>): void {
    if (this.#count === 0) {
      return
    }
    for (const executionId of executionIds) {
      for (const waiter of this.#byId.get(executionId) ?? []) {
        waiter.tell()
      }
    }
  }

  /** Anything may have finished. */
  toldAll(): void {
    for (const waiters of this.#byId.values()) {
      for (const waiter of waiters) {
        waiter.tell()
      }
    }
  }

  /**
   * Begins to listen. `next` resolves when the execution may have finished since the last `next`, the
   * interval has passed, or the signal has fired; `end` stops listening.
   */
  listen(executionId: string, signal: CancelSignal | undefined): Listening {
    let isTold = false
    let resolveNext: (() => void) | undefined
    const tell = (): void => {
      isTold = true
      resolveNext?.()
    }
    const waiter: Waiter = { tell }
    this.#add(executionId, waiter)
    signal?.onCancelled(tell)
    return {
      next: async (intervalMs) => {
        if (!isTold) {
          await new Promise<void>((resolve) => {
            // Somebody awaits this: the process must not end meanwhile.
            const timer = this.#clock.setTimer(intervalMs, resolve, { keepsProcessAlive: true })
            resolveNext = (): void => {
              timer.cancel()
              resolve()
            }
          })
          resolveNext = undefined
        }
        isTold = false
      },
      end: () => {
        signal?.clearOnCancelled(tell)
        this.#remove(executionId, waiter)
      },
    }
  }

  #add(executionId: string, waiter: Waiter): void {
    const waiters = this.#byId.get(executionId)
    if (waiters === undefined) {
      this.#byId.set(executionId, new Set([waiter]))
    } else {
      waiters.add(waiter)
    }
    this.#count += 1
    this.#onCount(this.#count)
  }

  #remove(executionId: string, waiter: Waiter): void {
    const waiters = this.#byId.get(executionId)
    if (waiters?.delete(waiter) === true) {
      if (waiters.size === 0) {
        this.#byId.delete(executionId)
      }
      this.#count -= 1
      this.#onCount(this.#count)
    }
  }
}

export type Listening = { next: (intervalMs: Millis) => Promise<void>; end: () => void }
