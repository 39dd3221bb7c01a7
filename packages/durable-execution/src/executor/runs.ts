/** The runs of this executor: started, timed, told to stop, given up, and handed to the committer when they end. */

import { type CancelSignal, OwnCancelSignal } from '../base/cancel.ts'
import { Changes } from '../base/changes.ts'
import { ChurningMap } from '../base/churning-map.ts'
import { type Millis } from '../base/clock.ts'
import {
  DurableExecutionCancelledError,
  type DurableExecutionError,
  toErrorStorageObject,
} from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { isSuspect } from '../machine/apart.ts'
import { type ExecutionRow } from '../machine/execution.ts'
import { type TaskDefinition } from '../task/define.ts'
import { type Engine } from './engine.ts'
import { type CodeOf } from '../task/context.ts'
import { type DurableCode } from '../task/durable-context.ts'
import { type AttemptEvent, failedEvent, releasedEvent, runAttempt } from './run-attempt.ts'
import { isWaiting, Run } from './run.ts'
import { RunLimits } from './run-limits.ts'

/** What the runs need of the other parts. */
export type RunsDoors = {
  commit: (run: Run, event: AttemptEvent, isAlone: boolean) => void
  /** The durable calls of a run. */
  codeOf: (run: Run) => DurableCode
  onSlotFreed: () => void
}

export class Runs {
  readonly #engine: Engine
  readonly #doors: RunsDoors
  readonly #shutdownSignal: CancelSignal
  /** The active and the held ones by execution; where an execution has two, the later one. */
  readonly #runs = new ChurningMap<string, Run>()
  #activeCount = 0
  #heldCount = 0
  /** Slots kept for rows that are being claimed just now. */
  #reserved = 0
  #suspectCount = 0
  readonly #limits: RunLimits
  readonly #changes = new Changes()

  constructor(engine: Engine, shutdownSignal: CancelSignal, doors: RunsDoors) {
    this.#engine = engine
    this.#shutdownSignal = shutdownSignal
    this.#doors = doors
    this.#limits = new RunLimits(engine, (run, error) => this.#timeOut(run, error))
  }

  /** How many slots are taken. */
  get size(): number {
    return this.#activeCount
  }

  /** How many more may be started. Outcomes that are not settled yet hold work back too, or they would pile up. */
  get free(): number {
    const { maxConcurrentRuns } = this.#engine.options
    const free = Math.min(maxConcurrentRuns - this.#activeCount, 2 * maxConcurrentRuns - this.#heldCount)
    return free - this.#reserved
  }

  /** Keeps slots for rows that are about to be claimed; gives the function that lets go of them, once. */
  reserve(slots: number): () => void {
    this.#reserved += slots
    let isOver = false
    return () => {
      if (!isOver) {
        isOver = true
        this.#reserved -= slots
      }
    }
  }

  /** Whether one runs here that must not run beside another of its kind; until its outcome is settled. */
  get hasSuspect(): boolean {
    return this.#suspectCount > 0
  }

  /** The runs whose lease is to be renewed. */
  held(): Array<Run> {
    return this.#runs.values().filter((run) => run.isHeld)
  }

  /** Whether this process has the execution's lease, and so will know of its end first. */
  holds(executionId: string): boolean {
    return this.#runs.get(executionId)?.isHeld === true
  }

  activeIds(): ReadonlySet<string> {
    return new Set(this.active().map((run) => run.row.executionId))
  }

  isActive(executionId: string): boolean {
    return this.#runs.get(executionId)?.isActive === true
  }

  /** Executions that must not be started again yet: their old function is still at work. */
  unendedIds(): Array<string> {
    return this.#activeCount === 0
      ? []
      : this.active()
          .filter((run) => run.isDecided)
          .map((run) => run.row.executionId)
  }

  /** Calls the function of a claimed row. */
  start(row: ExecutionRow, definition: TaskDefinition, leaseDeadlineAt: Millis): void {
    const run = new Run(
      row,
      definition,
      { leaseDeadlineAt, shutdownSignal: this.#shutdownSignal },
      this.#engine,
    )
    this.#runs.set(row.executionId, run)
    this.#activeCount += 1
    this.#heldCount += 1
    this.#suspectCount += isSuspect(row) ? 1 : 0
    const event = runAttempt(run, this.#engine, this.#doors.codeOf as CodeOf)
    if (event instanceof Promise) {
      // What has ended already needs no timer.
      run.timer = this.#limits.set(run)
      void event.then((ended) => this.#end(run, ended))
    } else {
      this.#end(run, event)
    }
  }

  /** Fires the signal of a run whose outcome does not count any more; it was cancelled, or its lease is lost. */
  drop(run: Run, reason: DurableExecutionError): void {
    if (!run.isDecided) {
      run.isDecided = true
      this.#stopSoon(run)
    }
    this.letGo(run)
    OwnCancelSignal.cancel(run.cancelSignal, reason)
  }

  /**
   * The run is over with this event, though its function has not ended: all that it does is to wait, and what it waits for is
   * not told to it any more.
   */
  leave(run: Run, event: AttemptEvent): void {
    if (!run.isDecided) {
      run.isDecided = true
      run.shutdownSignal.giveBack()
      this.#doors.commit(run, event, this.#activeCount <= 1)
      this.#free(run)
    }
  }

  /** No step of the run is at work any more. */
  stepsEnded(run: Run): void {
    if (run.isDecided) {
      this.#free(run)
    }
  }

  /** Tells the runs to stop, since the executor does: what they do not finish is left to others. */
  tellToLeave(reason: DurableExecutionError): void {
    for (const run of this.active()) {
      run.isToldToLeave = true
      OwnCancelSignal.cancel(run.cancelSignal, reason)
      if (isWaiting(run)) {
        run.calls?.leaveWhenIdle()
      }
    }
  }

  /** The same as `drop`, by the execution's id; an execution that does not run here is fine. */
  dropById(executionId: string, reason: DurableExecutionError): void {
    const run = this.#runs.get(executionId)
    if (run?.isActive === true) {
      this.drop(run, reason)
    }
  }

  /** The lease of the run is not ours any more, or not needed. */
  letGo(run: Run): void {
    if (run.isHeld) {
      run.isHeld = false
      this.#heldCount -= 1
      this.#forget(run)
      this.#doors.onSlotFreed()
    }
    this.#changes.tell()
  }

  /** Stops counting a function that does not end. */
  abandon(run: Run): void {
    if (run.isActive) {
      // One that waits for a durable call does nothing by itself: it is the storage that does not answer.
      if (!isWaiting(run)) {
        const { taskId, executionId } = run.row
        this.#engine.logger.error(
          `Task ${taskId} (execution ${executionId}) did not stop when it was told to. It is abandoned: ` +
            'it goes on by itself, and its outcome is ignored',
        )
      }
      this.#free(run)
    }
  }

  /** Nothing is timed any more: all has ended, or was abandoned. */
  stopTiming(): void {
    this.#limits.clear()
  }

  active(): Array<Run> {
    return this.#runs.values().filter((run) => run.isActive)
  }

  /** Resolves when no function runs and no outcome is unsettled. */
  async idle(): Promise<void> {
    while (this.#activeCount > 0 || this.#heldCount > 0) {
      await this.#changes.next()
    }
  }

  #end(run: Run, event: AttemptEvent): void {
    run.hasEnded = true
    if (event.kind !== 'failed' && run.calls?.isAtWork === true) {
      const { taskId, executionId } = run.row
      this.#engine.logger.info(
        `Task ${taskId} (execution ${executionId}) has returned while calls of ctx were at work, and did not wait for them: ` +
          'what they do comes to nothing. Await every call',
      )
    }
    run.timer?.cancel()
    run.shutdownSignal.giveBack()
    if (!run.isDecided) {
      run.isDecided = true
      // A run that obeyed and threw has not failed: it is unfinished, and loses no attempt.
      const isUnfinished = run.isToldToLeave && event.kind === 'failed'
      this.#doors.commit(run, isUnfinished ? releasedEvent(run) : event, this.#activeCount <= 1)
    }
    if (run.isActive && run.calls?.isStepRunning === true) {
      // It did not wait for them: what they come to is of no interest any more.
      OwnCancelSignal.cancel(
        run.cancelSignal,
        new DurableExecutionCancelledError('Task ended without waiting for it'),
      )
      this.#abandonSoon(run)
    } else {
      this.#free(run)
    }
  }

  // The signal fires first, the outcome is written at once, and the function has a second to end.
  #timeOut(run: Run, error: DurableExecutionError): void {
    OwnCancelSignal.cancel(run.cancelSignal, error)
    if (!run.isDecided) {
      run.isDecided = true
      this.#doors.commit(run, failedEvent(run, toErrorStorageObject(error)), false)
    }
    this.#stopSoon(run)
  }

  // A durable call gets no answer any more, so whoever waits for one does nothing more.
  #stopSoon(run: Run): void {
    if (isWaiting(run)) {
      this.#free(run)
    } else {
      this.#abandonSoon(run)
    }
  }

  // A function that was told to stop and does not must not keep its slot, nor its row from being run again.
  #abandonSoon(run: Run): void {
    run.timer?.cancel()
    run.timer = this.#engine.doors.clock.setTimer(LIMITS.abandonMs, () => this.abandon(run))
  }

  #free(run: Run): void {
    run.timer?.cancel()
    if (run.isActive) {
      run.isActive = false
      run.calls?.end()
      this.#activeCount -= 1
      this.#forget(run)
      this.#doors.onSlotFreed()
      this.#changes.tell()
    }
  }

  // Comes twice for each run: when its function has ended, and when its lease is let go.
  #forget(run: Run): void {
    const { executionId } = run.row
    if (run.isActive || run.isHeld) {
      return
    }
    this.#suspectCount -= isSuspect(run.row) ? 1 : 0
    if (this.#runs.get(executionId) === run) {
      this.#runs.delete(executionId)
    }
  }
}
