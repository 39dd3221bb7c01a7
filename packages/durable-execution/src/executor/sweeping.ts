/** Looks after what others left: lapsed leases, and finished rows that nobody has closed. */

import { type Millis, type Timer } from '../base/clock.ts'
import { LIMITS } from '../base/limits.ts'
import { jitter } from '../base/random.ts'
import { findOpen } from '../store/close.ts'
import { recoverLost } from '../store/recover.ts'
import { type Closer } from './closer.ts'
import { type Engine } from './engine.ts'
import { type Health } from './health.ts'
import { Loop } from './loop.ts'

// Whoever finishes a row closes it at once, so a row that is still open after a second was left behind.
const LEFT_OPEN_MS = 1_000
const LAPSE_JITTER_MS = 500
// Looks that find nothing become rarer, down to this many polls a look.
const QUIET_POLLS = 4
// A question that nothing answers to.
const NOBODY = {
  type: 'by_statuses' as const,
  statuses: ['running' as const],
  expiresAtLessThan: new Date(0),
}

export class Sweeping {
  readonly #engine: Engine
  readonly #closer: Closer
  readonly #health: Health
  readonly #recovery: Loop
  readonly #closing: Loop
  /** By how much the time of day is ahead of the monotonic clock; it changes when the clock is set. */
  #clockGapMs: Millis | undefined
  #holdUntil: Millis = 0
  /** What the last look took on: if it is still open, the next look goes past it. */
  #triedIds: ReadonlySet<string> = new Set()
  #pollsPerLook = 1
  #hintTimer: Timer | undefined
  #isOver = false
  #stuck: { executionId: string; taskId: string } | undefined

  constructor(engine: Engine, closer: Closer, health: Health) {
    this.#engine = engine
    this.#closer = closer
    this.#health = health
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

  /**
   * Somebody else may have finished something that only others can close. Looked for after a poll's
   * length, since they most often close it themselves.
   */
  hinted(): void {
    if (this.#isOver) {
      return
    }
    this.#hintTimer ??= this.#engine.doors.clock.setTimer(this.#engine.options.pollMs, () => {
      this.#hintTimer = undefined
      this.#closing.wake()
    })
  }

  start(): void {
    this.#recovery.start()
    this.#closing.start()
  }

  async stop(): Promise<void> {
    this.#isOver = true
    this.#hintTimer?.cancel()
    await Promise.all([this.#recovery.stop(), this.#closing.stop()])
  }

  async #recover(): Promise<Millis> {
    const { transact, store, registry, options, logger, doors, tell, knowTime } = this.#engine
    await knowTime()
    if (this.#health.isAway) {
      // Whether it is back must be known before anything is taken from anybody.
      await transact(async (tx) => await tx.getTaskExecutionIds(NOBODY, 1), { oneCall: true })
    }
    const holdMs = this.#holdMs()
    if (holdMs > 0) {
      return holdMs
    }
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

  /**
   * How long recovery waits after the clock has jumped, or the machine was asleep. Leases then look
   * lapsed that are not: everybody who is alive gets a lease's length to renew by the new time. After an outage of the storage
   * they have lapsed: whoever is alive gets half of one to give back what it could not keep, since that is no loss.
   */
  #holdMs(): Millis {
    const { doors, store, options } = this.#engine
    const monotonicNow = doors.clock.monotonicNow()
    const gapMs = store.now() - monotonicNow
    if (this.#clockGapMs !== undefined && Math.abs(gapMs - this.#clockGapMs) > options.expireMs / 6) {
      this.#holdUntil = monotonicNow + options.expireMs
    }
    this.#clockGapMs = gapMs
    return Math.max(0, this.#holdUntil - monotonicNow, this.#health.outageLastsUntil - monotonicNow)
  }

  async #close(): Promise<Millis> {
    const { transact, store, registry, options, doors, pollMs, knowTime } = this.#engine
    await knowTime()
    const knows = (taskId: string): boolean => registry.get(taskId) !== undefined
    const { open, unknown } = await findOpen(transact, knows, this.#triedIds)
    const leftSinceMs = store.now() - LEFT_OPEN_MS
    const left = open.filter(
      // A task that is unknown here was finished by somebody who may not know its parent: no need to wait for them.
      (row) => row.updatedAt.getTime() <= leftSinceMs || !knows(row.taskId),
    )
    this.#closer.add(left)
    this.#triedIds = new Set(left.map((row) => row.executionId))
    const [stuck] = unknown.filter((row) => store.now() - row.updatedAt.getTime() > options.expireMs)
    this.#stuck =
      stuck === undefined
        ? undefined
        : { executionId: stuck.executionId, taskId: stuck.parentTask?.taskId ?? '' }
    if (left.length < open.length) {
      // What is too young to be taken for left behind is looked at again when it is not.
      return LEFT_OPEN_MS
    }
    const isQuiet = open.length === 0 && unknown.length === 0
    this.#pollsPerLook = isQuiet ? Math.min(this.#pollsPerLook * 2, QUIET_POLLS) : 1
    const rareMs = Math.min(pollMs() * this.#pollsPerLook, LIMITS.seenPollMs)
    return jitter(Math.max(pollMs(), rareMs), doors.random)
  }
}
