/** Closes what has finished: at once where this process finished it, batch by batch, in no hurry of its own. */

import { nextTurn } from '../base/clock.ts'
import { LIMITS } from '../base/limits.ts'
import { type OpenExecution } from '../store/effects.ts'
import { type Below, cancelBelow, closeFinished, findBelow } from '../store/close.ts'
import { chunksOf } from '../store/rows.ts'
import { isStorageThere } from '../store/transact.ts'
import { type Engine } from './engine.ts'

export class Closer {
  readonly #engine: Engine
  #pending = new Map<string, OpenExecution>()
  #working: Promise<void> | undefined
  readonly #onLeftOpen: () => void

  /** `onLeftOpen` hears that something could not be closed now. */
  constructor(engine: Engine, onLeftOpen: () => void) {
    this.#engine = engine
    this.#onLeftOpen = onLeftOpen
  }

  /** Takes executions on. What fails is left to whoever sweeps. */
  add(open: ReadonlyArray<OpenExecution>): void {
    for (const one of open) {
      this.#pending.set(one.executionId, one)
    }
    if (this.#pending.size > 0 && this.#working === undefined) {
      this.#working = this.#work()
    }
  }

  /** Resolves when there is nothing left to do; what failed is not waited for. */
  async drained(): Promise<void> {
    while (this.#working !== undefined) {
      await this.#working
    }
  }

  async #work(): Promise<void> {
    // A later turn, so that what finishes in one turn is closed together.
    await nextTurn(this.#engine.doors.clock)
    while (this.#pending.size > 0) {
      const open = [...this.#pending.values()]
      this.#pending = new Map()
      for (const some of chunksOf(open, LIMITS.sweepRows)) {
        await this.#closeSome(some)
      }
    }
    // In the same turn as the last look at what is pending, or what is added in between would lie there.
    this.#working = undefined
  }

  /** One row that cannot be closed does not hold up the others. */
  async #closeSome(open: ReadonlyArray<OpenExecution>): Promise<void> {
    try {
      await this.#close(open)
    } catch (error) {
      await this.#closeOneByOne(open, error)
    }
  }

  async #closeOneByOne(open: ReadonlyArray<OpenExecution>, error: unknown): Promise<void> {
    const { transact, logger } = this.#engine
    const [first] = open
    if (first === undefined) {
      return
    }
    if (open.length > 1 && (await isStorageThere(transact, first.executionId))) {
      for (const one of open) {
        await this.#closeSome([one])
      }
      return
    }
    // While the storage is away each of them would say the same.
    const rest = open.length > 1 ? ` and ${open.length - 1} others` : ''
    logger.error(`Execution ${first.executionId}${rest} could not be closed yet`, error)
    this.#onLeftOpen()
  }

  async #close(
    open: ReadonlyArray<OpenExecution>,
    belowClosedIds: ReadonlySet<string> = new Set(),
  ): Promise<void> {
    const { transact, store, tell } = this.#engine
    const { results, effects } = await closeFinished(transact, open, belowClosedIds, store)
    tell(effects)
    for (const [index, one] of open.entries()) {
      if (results[index] === 'below_open') {
        await this.#closeWithBelow(one)
      }
    }
  }

  /** Whether any was cancelled. One row that cannot be cancelled does not hold up the others. */
  async #cancelBelow(below: Below): Promise<boolean> {
    const { transact, store, tell, logger } = this.#engine
    try {
      const effects = await cancelBelow(transact, below, store)
      // What is below is closed by the caller, before the row itself; only the others hear of the rest.
      tell({ ...effects, open: [] })
      return effects.finishedIds.length > 0
    } catch (error) {
      if (below.activeIds.length === 1) {
        logger.error(`Execution ${below.activeIds.join()} could not be cancelled yet`, error)
        return false
      }
    }
    let isAnyCancelled = false
    for (const executionId of below.activeIds) {
      const isCancelled = await this.#cancelBelow({ ...below, activeIds: [executionId] })
      isAnyCancelled ||= isCancelled
    }
    return isAnyCancelled
  }

  /** Cancels and closes what is below, level by level, and then the row itself. */
  async #closeWithBelow(one: OpenExecution): Promise<void> {
    const { transact } = this.#engine
    let openBefore = ''
    for (;;) {
      const below = await findBelow(transact, one.executionId)
      if (below.activeIds.length > 0) {
        if (await this.#cancelBelow(below)) {
          continue
        }
        // None of them can be cancelled now: the sweep comes back to it.
        this.#onLeftOpen()
        return
      }
      if (below.open.length === 0) {
        await this.#close([one], new Set([one.executionId]))
        return
      }
      const openNow = below.open.map(({ executionId }) => executionId).join()
      if (openNow === openBefore) {
        // Somebody else is at it, or it cannot be closed here: the sweep comes back to it.
        this.#onLeftOpen()
        return
      }
      openBefore = openNow
      for (const some of chunksOf(below.open, LIMITS.sweepRows)) {
        await this.#closeSome(some)
      }
    }
  }
}
