/** Looks after what others left: lapsed leases, and finished rows that nobody has closed. */

import { type Millis } from '../base/clock.ts'
import { jitter } from '../base/random.ts'
import { findOpen } from '../store/close.ts'
import { recoverLost } from '../store/recover.ts'
import { type Closer } from './closer.ts'
import { type Engine } from './engine.ts'
import { Loop } from './loop.ts'

// Whoever finishes a row closes it at once, so a row that is still open after a second was left behind.
const LEFT_OPEN_MS = 1_000
const LAPSE_JITTER_MS = 500

export class Sweeping {
  readonly #engine: Engine
  readonly #closer: Closer
  readonly #recovery: Loop
  readonly #closing: Loop
  #stuck: { executionId: string; taskId: string } | undefined

  constructor(engine: Engine, closer: Closer) {
    this.#engine = engine
    this.#closer = closer
    const { clock, random } = engine.doors
    this.#recovery = new Loop({
      name: 'recovery',
      clock,
      random,
      step: () => this.#recover(),
      onError: (error) => engine.logger.error('Lapsed leases could not be looked for yet', error),
    })
    this.#closing = new Loop({
      name: 'closing',
      clock,
      random,
      step: () => this.#close(),
      onError: (error) => engine.logger.error('Finished executions could not be looked for yet', error),
    })
  }

  loops(): Array<Loop> {
    return [this.#recovery, this.#closing]
  }

  /** An execution that cannot be closed here, and that nobody else has closed for a lease's length. */
  get stuck(): { executionId: string; taskId: string } | undefined {
    return this.#stuck
  }

  start(): void {
    this.#recovery.start()
    this.#closing.start()
  }

  async stop(): Promise<void> {
    await Promise.all([this.#recovery.stop(), this.#closing.stop()])
  }

  async #recover(): Promise<Millis> {
    const { transact, store, registry, options, logger, doors, tell } = this.#engine
    const { effects, lostIds, nextLapseAt, isMore } = await recoverLost(
      transact,
      (taskId) => {
        const definition = registry.get(taskId)
        return definition === undefined ? undefined : (definition.maxLosses ?? options.maxLosses)
      },
      store,
    )
    for (const executionId of lostIds) {
      logger.info(`Execution ${executionId} was lost by whoever ran it, and is taken back`)
    }
    tell(effects)
    if (isMore && lostIds.length > 0) {
      return 0
    }
    // Seldom all at once, when many executors wait for the same lapse.
    const lapseInMs = (nextLapseAt?.getTime() ?? Infinity) - store.now() + 1
    const jitterMs = Math.min(LAPSE_JITTER_MS, options.expireMs / 10) * doors.random()
    return Math.min(Math.max(lapseInMs, 0) + jitterMs, options.expireMs)
  }

  async #close(): Promise<Millis> {
    const { transact, store, registry, options, doors } = this.#engine
    const { open, unknown } = await findOpen(transact, (taskId) => registry.get(taskId) !== undefined)
    const leftSinceMs = store.now() - LEFT_OPEN_MS
    this.#closer.add(
      open.filter(
        // A task that is unknown here was finished by somebody who may not know its parent: no need to wait for them.
        (row) => row.updatedAt.getTime() <= leftSinceMs || registry.get(row.taskId) === undefined,
      ),
    )
    const [stuck] = unknown.filter((row) => store.now() - row.updatedAt.getTime() > options.expireMs)
    this.#stuck =
      stuck === undefined
        ? undefined
        : { executionId: stuck.executionId, taskId: stuck.parentTask?.taskId ?? '' }
    return jitter(options.pollMs, doors.random)
  }
}
