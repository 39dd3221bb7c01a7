/** Keeps the leases of this executor's runs, and stops runs that lost theirs or were cancelled. */

import { type Millis, type Timer } from '../base/clock.ts'
import { DurableExecutionCancelledError, DurableExecutionError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { jitter } from '../base/random.ts'
import { renewLeases, takeCancelled } from '../store/renew.ts'
import { type Transact } from '../store/transact.ts'
import { type Engine } from './engine.ts'
import { type LateReleases } from './late-releases.ts'
import { Loop } from './loop.ts'
import { type Runs } from './runs.ts'
import { type Run } from './run.ts'

export class Heartbeat {
  readonly #engine: Engine
  readonly #runs: Runs
  readonly #late: LateReleases
  readonly #transact: Transact
  readonly #renewals: Loop
  readonly #cancellations: Loop
  #deadline: { at: Millis; timer: Timer } | undefined
  /** Whether the check for cancellations sleeps, since nothing ran when it last looked. */
  #isCheckAsleep = false

  constructor(engine: Engine, runs: Runs, late: LateReleases, transact: Transact) {
    this.#engine = engine
    this.#runs = runs
    this.#late = late
    this.#transact = transact
    const { clock, random } = engine.doors
    this.#renewals = new Loop({
      name: 'renewal of leases',
      clock,
      random,
      step: () => this.#renew(),
      onError: (error) => engine.logger.error('Leases could not be renewed yet', error),
      maxBackoffMs: Math.min(LIMITS.backgroundBackoffMs, engine.options.expireMs / 6),
    })
    this.#cancellations = new Loop({
      name: 'check for cancellations',
      clock,
      random,
      step: () => this.#stopCancelled(),
      onError: (error) => engine.logger.error('Cancellations could not be looked for', error),
    })
  }

  loops(): Array<Loop> {
    return [this.#renewals, this.#cancellations]
  }

  start(): void {
    this.#renewals.start()
    this.#cancellations.start()
  }

  /** Runs have begun, whose lease lasts until then: from now on there is something to keep and to ask for. */
  runsStarted(deadlineAt: Millis): void {
    if (this.#runs.size === 0) {
      // They ended within the turn that began them.
      return
    }
    // An adopted claim may lapse before all that were known so far. A timer that is set for an earlier moment looks anew.
    if (this.#deadline === undefined || deadlineAt < this.#deadline.at) {
      this.#armDeadline()
    }
    if (this.#isCheckAsleep) {
      this.#isCheckAsleep = false
      this.#cancellations.wake()
    }
  }

  /** Somebody may have cancelled something. */
  checkCancellations(): void {
    if (this.#runs.size > 0) {
      this.#cancellations.wake()
    }
  }

  async stop(): Promise<void> {
    this.#disarmDeadline()
    await Promise.all([this.#renewals.stop(), this.#cancellations.stop()])
  }

  async #renew(): Promise<Millis> {
    const { clock, random } = this.#engine.doors
    const { expireMs } = this.#engine.options
    await this.#late.flush(this.#transact)
    const runs = new Map(this.#runs.held().map((run) => [run.row.executionId, run]))
    if (runs.size > 0) {
      // The lease counts from when the renewal was sent: what the storage wrote is not earlier.
      const deadlineAt = clock.monotonicNow() + expireMs
      const expiresAt = new Date(this.#engine.store.now() + expireMs)
      let failure: unknown
      const { renewedIds, lostIds } = await renewLeases(
        this.#transact,
        [...runs.values()].map((run) => ({ executionId: run.row.executionId, lease: run.lease })),
        expiresAt,
        this.#engine.store,
        (error) => {
          failure = error
        },
      )
      for (const executionId of renewedIds) {
        const run = runs.get(executionId)
        if (run !== undefined) {
          run.leaseDeadlineAt = deadlineAt
        }
      }
      for (const executionId of lostIds) {
        this.#lose(runs.get(executionId))
      }
      this.#armDeadline()
      if (failure !== undefined) {
        // Unknown is not lost: the runs go on, and the next try comes soon.
        throw failure as Error
      }
    }
    return jitter(expireMs / 3, random)
  }

  #lose(run: Run | undefined): void {
    if (run === undefined || !run.isHeld) {
      return
    }
    if (run.isDecided) {
      // Its outcome is on the way, and is accepted or refused by the row itself.
      return
    }
    const { taskId, executionId } = run.row
    this.#engine.logger.info(
      `Task ${taskId} (execution ${executionId}) does not hold its lease any more: cancelled, or taken over`,
    )
    this.#runs.drop(run, new DurableExecutionCancelledError('Task lost its lease'))
  }

  async #stopCancelled(): Promise<Millis> {
    const ids = [...this.#runs.activeIds()]
    if (ids.length === 0) {
      this.#isCheckAsleep = true
      return Infinity
    }
    await takeCancelled(this.#engine.transact, ids, this.#engine.store, (executionId) => {
      this.#runs.dropById(executionId, new DurableExecutionCancelledError())
    })
    return LIMITS.cancelCheckMs
  }

  /** One timer for the earliest deadline: a run that could not be renewed in time stops itself. */
  #armDeadline(): void {
    const { clock } = this.#engine.doors
    this.#disarmDeadline()
    let earliestAt = Infinity
    // Outcomes on their way are kept by the committer; this looks after runs alone.
    for (const run of this.#runs.held()) {
      if (!run.isDecided) {
        earliestAt = Math.min(earliestAt, run.leaseDeadlineAt)
      }
    }
    if (earliestAt < Infinity) {
      const timer = clock.setTimer(earliestAt - clock.monotonicNow(), () => this.#stopLapsed())
      this.#deadline = { at: earliestAt, timer }
    }
  }

  #disarmDeadline(): void {
    this.#deadline?.timer.cancel()
    this.#deadline = undefined
  }

  #stopLapsed(): void {
    const now = this.#engine.doors.clock.monotonicNow()
    for (const run of this.#runs.held()) {
      if (run.leaseDeadlineAt <= now && !run.isDecided) {
        const { taskId, executionId } = run.row
        const message = `Task ${taskId} (execution ${executionId}) could not renew its lease in time and is stopped`
        this.#engine.logger.error(message)
        this.#runs.drop(run, new DurableExecutionError(message, false))
        this.#late.add(run)
      }
    }
    this.#armDeadline()
  }
}
