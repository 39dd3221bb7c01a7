/** Those who wait for executions to finish: told in memory, hinted at by the storage, or else looking now and then. */

import { type CancelSignal } from '../base/cancel.ts'
import { type Clock, type Millis, type Timer } from '../base/clock.ts'
import { LIMITS } from '../base/limits.ts'
import { TimerQueue } from '../base/timer-queue.ts'
import { type ExecutionRow, type LeanRow } from '../machine/execution.ts'

type Waiter = {
  /** Its execution has most likely ended, with that row if it is known; or anything may have. */
  tell: (end: 'ended' | 'perhaps', row?: ExecutionRow) => void
}

export class Waiters {
  readonly #clock: Clock
  readonly #onCount: (count: number) => void
  readonly #byId = new Map<string, Set<Waiter>>()
  #count = 0
  readonly #looks: TimerQueue<() => void>
  /** How many wait to be told just now, and would be cut off if the process ended. */
  #waiting = 0
  #isAlive = false
  #keepAlive: Timer | undefined

  /** `onCount` hears how many wait: while somebody does, hints are worth listening for. */
  constructor(clock: Clock, onCount: (count: number) => void) {
    this.#clock = clock
    this.#onCount = onCount
    this.#looks = new TimerQueue(clock, (look) => look())
    this.#looks.linger(false)
  }

  /** Whether something else keeps the process alive from now on, as an executor that works does. */
  processIsAlive(isAlive: boolean): void {
    this.#isAlive = isAlive
    this.#looks.linger(isAlive)
    this.#keepProcessAlive()
  }

  /** Whether somebody in this process waits for the execution. */
  isAwaited(executionId: string): boolean {
    return this.#byId.has(executionId)
  }

  /** These executions have finished, or changed otherwise. Those whose rows are given have finished, and need not be read. */
  told(executionIds: ReadonlyArray<string>, rows?: Pick<ReadonlyMap<string, LeanRow>, 'get'>): void {
    if (this.#count === 0) {
      return
    }
    for (const executionId of executionIds) {
      const waiters = this.#byId.get(executionId)
      if (waiters !== undefined) {
        const row = rows?.get(executionId) as ExecutionRow | undefined
        for (const waiter of waiters) {
          waiter.tell('ended', row)
        }
      }
    }
  }

  /** Calls the function whenever one of them may have finished, until the function that it gives is called. */
  subscribe(executionIds: ReadonlyArray<string>, tell: () => void): () => void {
    const waiter = { tell }
    for (const executionId of executionIds) {
      this.#add(executionId, waiter)
    }
    return () => {
      for (const executionId of executionIds) {
        this.#remove(executionId, waiter)
      }
    }
  }

  /** Anything may have finished. */
  toldAll(): void {
    for (const waiters of this.#byId.values()) {
      for (const waiter of waiters) {
        waiter.tell('perhaps')
      }
    }
  }

  /**
   * Begins to listen. `next` resolves when the execution has finished since the last `next` (with its row, if that is known) or
   * may have, the interval has passed, or the signal has fired; `end` stops listening.
   */
  listen(executionId: string, signal: CancelSignal | undefined): Listening {
    let isTold = false
    let hasEnded = false
    let finishedRow: ExecutionRow | undefined
    let resolveNext: (() => void) | undefined
    const tell = (): void => {
      isTold = true
      resolveNext?.()
    }
    const waiter: Waiter = {
      tell: (end, row) => {
        hasEnded ||= end === 'ended'
        finishedRow ??= row
        tell()
      },
    }
    this.#add(executionId, waiter)
    signal?.onCancelled(tell)
    return {
      next: async (intervalMs) => {
        if (!isTold) {
          this.#waits(1)
          await new Promise<void>((resolve) => {
            const timer = this.#looks.set(this.#clock.monotonicNow(), intervalMs, resolve)
            resolveNext = (): void => {
              timer.cancel()
              resolve()
            }
          })
          this.#waits(-1)
          resolveNext = undefined
        }
        isTold = false
        const told = { hasEnded, row: finishedRow }
        // A storage may have named what changed in another way: then the next look is for the status alone again.
        hasEnded = false
        return told
      },
      end: () => {
        signal?.clearOnCancelled(tell)
        this.#remove(executionId, waiter)
      },
    }
  }

  #waits(change: number): void {
    this.#waiting += change
    this.#keepProcessAlive()
  }

  // Somebody awaits this: the process must not end meanwhile.
  #keepProcessAlive(): void {
    const isNeeded = this.#waiting > 0 && !this.#isAlive
    if (isNeeded && this.#keepAlive === undefined) {
      this.#keepAlive = this.#clock.setTimer(LIMITS.delayMs, () => {}, { keepsProcessAlive: true })
    } else if (!isNeeded && this.#keepAlive !== undefined) {
      this.#keepAlive.cancel()
      this.#keepAlive = undefined
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

/** What was told: whether the execution has most likely ended, and its row, if that is known. */
type Told = { hasEnded: boolean; row: ExecutionRow | undefined }

export type Listening = { next: (intervalMs: Millis) => Promise<Told>; end: () => void }
