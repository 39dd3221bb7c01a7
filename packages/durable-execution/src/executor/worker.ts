/** The working half of an executor: everything that goes on between `start` and `shutdown`. */

import { type CancelSignal } from '../base/cancel.ts'
import { endsWithin, type Millis, type Timer } from '../base/clock.ts'
import { DurableExecutionCancelledError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { type DurableStorage } from '../storage/contract.ts'
import { type Effects } from '../store/effects.ts'
import { createTransact } from '../store/transact.ts'
import { Claiming } from './claiming.ts'
import { type Closer } from './closer.ts'
import { Committer } from './committer.ts'
import { DurableRuns, type DurableRunsDoors } from './durable-runs.ts'
import { EarlyStart } from './early-start.ts'
import { type Engine } from './engine.ts'
import { giveBack } from './give-back.ts'
import { type Health } from './health.ts'
import { Heartbeat } from './heartbeat.ts'
import { LateReleases } from './late-releases.ts'
import { Loop } from './loop.ts'
import { Runs } from './runs.ts'
import { type Run } from './run.ts'
import { Starter } from './starter.ts'
import { Suspects } from './suspects.ts'
import { Sweeping } from './sweeping.ts'

const CLOCK_CHECK_MS = 60_000

export class Worker {
  readonly #engine: Engine
  readonly #runs: Runs
  readonly #claiming: Claiming
  readonly #heartbeat: Heartbeat
  readonly #sweeping: Sweeping
  readonly #closer: Closer
  readonly earlyStart: EarlyStart
  #clockCheck: Loop | undefined
  #keepAlive: Timer | undefined
  #isStarted = false

  constructor(
    engine: Engine,
    storage: DurableStorage,
    closer: Closer,
    health: Health,
    shutdownSignal: CancelSignal,
    durableDoors: Pick<DurableRunsDoors, 'records' | 'onTold'>,
  ) {
    this.#engine = engine
    this.#closer = closer
    const late = new LateReleases(engine)
    const committer = new Committer(
      engine,
      (run) => this.#runs.letGo(run),
      (run) => late.add(run),
    )
    const durable = new DurableRuns(engine, {
      ...durableDoors,
      write: (run, event, onWritten) => committer.write(run, event, onWritten),
      leave: (run, event) => this.#runs.leave(run, event),
      drop: (run, reason) => this.#runs.drop(run, reason),
      stepsEnded: (run) => this.#runs.stepsEnded(run),
    })
    this.#runs = new Runs(engine, shutdownSignal, {
      commit: (run, event, isAlone) => committer.add(run, event, isAlone),
      codeOf: (run) => durable.codeOf(run),
      onSlotFreed: () => this.#claiming.slotFreed(),
    })
    // A renewal that hangs must not outlast the lease it is for.
    const renewLimitMs = Math.min(LIMITS.storageCallMs, Math.max(1_000, engine.options.expireMs / 3))
    const transact = createTransact(storage, engine.limits, health, renewLimitMs)
    this.#heartbeat = new Heartbeat(engine, this.#runs, late, transact)
    const suspects = new Suspects(this.#runs)
    const starter = new Starter(engine, this.#runs, suspects, (deadlineAt) =>
      this.#heartbeat.runsStarted(deadlineAt),
    )
    this.#claiming = new Claiming(engine, this.#runs, suspects, starter)
    this.#sweeping = new Sweeping(engine, closer, health)
    this.earlyStart = new EarlyStart(engine, this.#runs, this.#claiming, starter)
  }

  get isStarted(): boolean {
    return this.#isStarted
  }

  /** Whether what becomes due now would be run here at once. */
  get hasRoom(): boolean {
    return this.#isStarted && this.#runs.size < this.#engine.options.maxConcurrentRuns
  }

  /** Whether the execution runs here, or has just ended here and is being settled. */
  runsHere(executionId: string): boolean {
    return this.#runs.holds(executionId)
  }

  runningIds(): ReadonlySet<string> {
    return this.#runs.activeIds()
  }

  stuck(): { executionId: string; taskId: string } | undefined {
    return this.#sweeping.stuck
  }

  /** The loops that must not be silent. */
  loops(): Array<Loop> {
    return this.#isStarted ? [this.#claiming.loop, ...this.#heartbeat.loops(), ...this.#sweeping.loops()] : []
  }

  start(refreshClock: () => Promise<void>): void {
    if (this.#isStarted) {
      return
    }
    this.#isStarted = true
    const { logger, doors } = this.#engine
    const { clock, random } = doors
    this.#keepAlive = clock.setTimer(LIMITS.delayMs, () => {}, { keepsProcessAlive: true })
    this.#clockCheck = new Loop({
      name: "check of the storage's clock",
      clock,
      random,
      step: async () => {
        await refreshClock()
        return CLOCK_CHECK_MS
      },
      onError: (error) => logger.error("The storage's clock could not be read", error),
    })
    this.#clockCheck.start()
    this.#heartbeat.start()
    this.#claiming.loop.start()
    this.#sweeping.start()
  }

  /** What a committed transaction of this process changed. */
  told({ readyAtMs, lastReadyAtMs, cancelledRunningIds }: Effects): void {
    for (const executionId of cancelledRunningIds) {
      this.#runs.dropById(executionId, new DurableExecutionCancelledError())
    }
    if (readyAtMs !== undefined && this.#isStarted) {
      this.#claiming.madeReady(readyAtMs, lastReadyAtMs ?? readyAtMs)
    }
  }

  /** Something could not be closed now. */
  leftOpen(): void {
    if (this.#isStarted) {
      this.#sweeping.hinted()
    }
  }

  /** Somebody else may have changed something. */
  hinted(): void {
    if (this.#isStarted) {
      this.#claiming.hinted()
      this.#heartbeat.checkCancellations()
      this.#sweeping.hinted()
    }
  }

  /**
   * Stops taking work, waits for what runs, gives back what does not end in time, and stops. With a
   * `graceMs` it ends soon after that has passed, even if the storage does not answer.
   */
  async stop(graceMs: Millis): Promise<void> {
    const { clock } = this.#engine.doors
    const startedAt = clock.monotonicNow()
    const claimingStopped = this.#claiming.stop()
    const isIdle = await endsWithin(clock, Promise.all([claimingStopped, this.#runs.idle()]), graceMs)
    const graceEndsAt = isIdle ? clock.monotonicNow() : startedAt + graceMs
    if (!isIdle) {
      await this.#stopRuns()
    }
    // What goes on beyond the limit ends by itself: each call has a time limit of its own.
    const leftMs = Math.max(0, graceEndsAt + LIMITS.shutdownMs - clock.monotonicNow())
    await endsWithin(clock, this.#stopRest(claimingStopped), leftMs)
    this.#keepAlive?.cancel()
    this.#runs.stopTiming()
  }

  async #stopRest(claimingStopped: Promise<void>): Promise<void> {
    const heartbeatStopped = this.#heartbeat.stop()
    await Promise.all([claimingStopped, heartbeatStopped, this.#sweeping.stop(), this.#clockCheck?.stop()])
    await this.#closer.drained()
  }

  async #stopRuns(): Promise<void> {
    const { clock } = this.#engine.doors
    this.#runs.tellToLeave(new DurableExecutionCancelledError('Executor shutdown'))
    if (await endsWithin(clock, this.#runs.idle(), LIMITS.abandonMs)) {
      return
    }
    const left = this.#runs.active().filter((run) => !run.isDecided)
    for (const run of left) {
      run.isDecided = true
    }
    for (const run of this.#runs.active()) {
      this.#runs.abandon(run)
    }
    await endsWithin(clock, this.#release(left), LIMITS.shutdownMs - LIMITS.abandonMs)
  }

  /** Gives rows back without an attempt; their functions may go on, and their outcome is refused. */
  async #release(runs: ReadonlyArray<Run>): Promise<void> {
    await giveBack(this.#engine, runs, 'runs')
    for (const run of runs) {
      this.#runs.letGo(run)
    }
  }
}
