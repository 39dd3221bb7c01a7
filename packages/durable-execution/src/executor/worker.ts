/** The working half of an executor: everything that goes on between `start` and `shutdown`. */

import { type CancelSignal } from '../base/cancel.ts'
import { type Millis, type Timer } from '../base/clock.ts'
import { DurableExecutionCancelledError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { type DurableStorage } from '../storage/contract.ts'
import { type Effects } from '../store/effects.ts'
import { settleRuns } from '../store/settle.ts'
import { createTransact } from '../store/transact.ts'
import { Claiming } from './claiming.ts'
import { type Closer } from './closer.ts'
import { Committer } from './committer.ts'
import { type Engine } from './engine.ts'
import { type Health } from './health.ts'
import { Heartbeat } from './heartbeat.ts'
import { Loop } from './loop.ts'
import { type Run, Runs } from './runs.ts'
import { Sweeping } from './sweeping.ts'

const CLOCK_CHECK_MS = 60_000

export class Worker {
  readonly #engine: Engine
  readonly #runs: Runs
  readonly #claiming: Claiming
  readonly #heartbeat: Heartbeat
  readonly #sweeping: Sweeping
  readonly #closer: Closer
  #clockCheck: Loop | undefined
  #keepAlive: Timer | undefined
  #isStarted = false

  constructor(
    engine: Engine,
    storage: DurableStorage,
    closer: Closer,
    health: Health,
    shutdownSignal: CancelSignal,
  ) {
    this.#engine = engine
    this.#closer = closer
    const committer = new Committer(engine, (run) => this.#runs.letGo(run))
    this.#runs = new Runs(engine, shutdownSignal, {
      commit: (run, event) => committer.add(run, event),
      onSlotFreed: () => this.#claiming.slotFreed(),
    })
    // A renewal that hangs must not outlast the lease it is for.
    const renewLimitMs = Math.min(LIMITS.storageCallMs, Math.max(1_000, engine.options.expireMs / 3))
    const transact = createTransact(storage, engine.doors.clock, health, renewLimitMs)
    this.#heartbeat = new Heartbeat(engine, this.#runs, transact)
    this.#claiming = new Claiming(engine, this.#runs, () => this.#heartbeat.runStarted())
    this.#sweeping = new Sweeping(engine, closer)
  }

  get isStarted(): boolean {
    return this.#isStarted
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
  told({ readyAtMs, cancelledRunningIds }: Effects): void {
    for (const executionId of cancelledRunningIds) {
      this.#runs.dropById(executionId, new DurableExecutionCancelledError())
    }
    if (readyAtMs !== undefined && this.#isStarted) {
      this.#claiming.wakeAt(readyAtMs)
    }
  }

  /** Somebody else may have changed something. */
  hinted(): void {
    if (this.#isStarted) {
      this.#claiming.loop.wake()
      this.#heartbeat.checkCancellations()
    }
  }

  /** Stops taking work, waits for what runs, gives back what does not end in time, and stops. */
  async stop(graceMs: Millis): Promise<void> {
    await this.#claiming.stop()
    await this.#waitForRuns(graceMs)
    await Promise.all([this.#sweeping.stop(), this.#clockCheck?.stop()])
    await this.#withLimit(this.#closer.drained(), LIMITS.abandonMs)
    await this.#heartbeat.stop()
    this.#keepAlive?.cancel()
  }

  async #waitForRuns(graceMs: Millis): Promise<void> {
    const idle = this.#runs.idle()
    if (graceMs === Infinity) {
      await idle
      return
    }
    if (await this.#withLimit(idle, graceMs)) {
      return
    }
    for (const run of this.#runs.active()) {
      run.cancel(new DurableExecutionCancelledError('Executor shutdown'))
    }
    if (await this.#withLimit(idle, LIMITS.abandonMs)) {
      return
    }
    const left = [...this.#runs.active()].filter((run) => !run.isDecided)
    for (const run of left) {
      run.isDecided = true
    }
    for (const run of this.#runs.active()) {
      this.#runs.abandon(run)
    }
    await this.#withLimit(this.#release(left), LIMITS.abandonMs)
  }

  /** Gives rows back without an attempt; their functions may go on, and their outcome is refused. */
  async #release(runs: ReadonlyArray<Run>): Promise<void> {
    const { transact, store, logger, tell } = this.#engine
    if (runs.length === 0) {
      return
    }
    const settlements = runs.map(({ row, lease }) => ({
      claimed: row,
      event: { kind: 'released' as const, executionId: row.executionId, lease },
    }))
    try {
      tell((await settleRuns(transact, settlements, store, { isRepeat: false })).effects)
    } catch (error) {
      logger.error(`${runs.length} runs could not be given back; their leases will lapse`, error)
    }
    for (const run of runs) {
      this.#runs.letGo(run)
    }
  }

  /** Whether the work ended in time. */
  async #withLimit(work: Promise<unknown>, limitMs: Millis): Promise<boolean> {
    let timer: Timer | undefined
    const limit = new Promise<boolean>((resolve) => {
      timer = this.#engine.doors.clock.setTimer(limitMs, () => resolve(false), { keepsProcessAlive: true })
    })
    const isDone = await Promise.race([work.then(() => true), limit])
    timer?.cancel()
    return isDone
  }
}
