/**
 * Tells other processes what this one changed. What they may be waiting for is told at once. What this
 * process sees to itself (it has room to run what became due; it has the one who waits for what finished)
 * is told a little later, many as one: on Postgres each message is a commit of its own.
 */

import { type Clock, type Millis, type Timer } from '../base/clock.ts'
import { LIMITS } from '../base/limits.ts'
import { type Logger } from '../base/logger.ts'
import { type DurableStorage } from '../storage/contract.ts'
import { type Effects } from '../store/effects.ts'

export class Telling {
  readonly #storage: DurableStorage
  readonly #clock: Clock
  readonly #logger: Logger
  #isReady = false
  #finishedIds: Array<string> = []
  #timer: Timer | undefined
  #toldAt: Millis = -Infinity
  #flushAt: Millis = 0

  constructor(storage: DurableStorage, clock: Clock, logger: Logger) {
    this.#storage = storage
    this.#clock = clock
    this.#logger = logger
  }

  /** Tells of a committed transaction. `isUrgent`: somebody elsewhere may be waiting for it. */
  tell({ readyAtMs, finishedIds, cancelledRunningIds }: Effects, isUrgent: boolean): void {
    if (this.#storage.notifyChange === undefined || (readyAtMs === undefined && finishedIds.length === 0)) {
      return
    }
    this.#isReady ||= readyAtMs !== undefined
    this.#finishedIds = this.#finishedIds.length === 0 ? finishedIds : this.#finishedIds.concat(finishedIds)
    if (!isUrgent) {
      this.#flushIn(LIMITS.hintGatherMs)
    } else if (cancelledRunningIds.length > 0) {
      this.flush()
    } else {
      // Under load there is always something urgent, and a message for each transaction would wake nobody sooner.
      const everyMs = readyAtMs === undefined ? LIMITS.hintGatherMs : LIMITS.hintEveryMs
      this.#flushIn(this.#toldAt + everyMs - this.#clock.monotonicNow())
    }
  }

  #flushIn(ms: Millis): void {
    const now = this.#clock.monotonicNow()
    if (ms <= 0) {
      this.flush()
    } else if (this.#timer === undefined || now + ms < this.#flushAt) {
      this.#timer?.cancel()
      this.#flushAt = now + ms
      this.#timer = this.#clock.setTimer(ms, () => this.flush())
    }
  }

  /** Tells now what was kept for later. */
  flush(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    const [ready, executionIds] = [this.#isReady, this.#finishedIds]
    this.#isReady = false
    this.#finishedIds = []
    if (ready || executionIds.length > 0) {
      this.#toldAt = this.#clock.monotonicNow()
      // A list that leaves some out would say that those have not changed.
      void this.#send(executionIds.length > LIMITS.idsPerCall ? { ready } : { ready, executionIds })
    }
  }

  async #send(hint: { ready: boolean; executionIds?: Array<string> }): Promise<void> {
    try {
      await this.#storage.notifyChange?.(hint)
    } catch (error) {
      this.#logger.debug('A hint to others was lost', error)
    }
  }
}
