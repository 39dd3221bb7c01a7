/** The runs of this executor: started, timed, told to stop, given up, and handed to the committer when they end. */

import { BorrowedSignal } from '../base/borrowed-signal.ts'
import { type CancelSignal, type CancelWithReason, createReasonedCancelSignal } from '../base/cancel.ts'
import { type Millis, type Timer } from '../base/clock.ts'
import {
  type DurableExecutionError,
  DurableExecutionTimedOutError,
  toErrorStorageObject,
} from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { assert } from '../base/assert.ts'
import { type Lease } from '../machine/event.ts'
import { type ExecutionRow } from '../machine/execution.ts'
import { type TaskDefinition } from '../task/define.ts'
import { type Engine } from './engine.ts'
import { type Attempt, type AttemptEvent, failedEvent, releasedEvent, runAttempt } from './run-attempt.ts'

/** One run: from the claim until its function has ended and its outcome is settled or dropped. */
export type Run = Attempt & {
  shutdownSignal: BorrowedSignal
  cancel: CancelWithReason
  /** When this process must believe its lease lapsed, on the monotonic clock. */
  leaseDeadlineAt: Millis
  /** Whether its outcome is fixed: handed to the committer, or of no interest any more. */
  isDecided: boolean
  /** Whether it was told to stop because the executor does. */
  isToldToLeave: boolean
  timer: Timer | undefined
}

/** What the runs need of the other parts. */
export type RunsDoors = {
  commit: (run: Run, event: AttemptEvent) => void
  onSlotFreed: () => void
}

/** The lease under which a row was claimed. */
export function leaseOf({ executionId, startedAt, leaseId }: ExecutionRow): Lease {
  assert(startedAt !== undefined, `the claimed execution ${executionId} has no startedAt`)
  return { startedAt, leaseId: leaseId ?? '' }
}

export class Runs {
  readonly #engine: Engine
  readonly #doors: RunsDoors
  readonly #shutdownSignal: CancelSignal
  /** Functions that were called and have not ended; each takes a slot. */
  readonly #active = new Map<string, Run>()
  /** Runs whose lease is ours: from the claim until the outcome is settled or dropped. */
  readonly #held = new Set<Run>()
  #onChange: Array<() => void> = []

  constructor(engine: Engine, shutdownSignal: CancelSignal, doors: RunsDoors) {
    this.#engine = engine
    this.#shutdownSignal = shutdownSignal
    this.#doors = doors
  }

  /** How many slots are taken. */
  get size(): number {
    return this.#active.size
  }

  /** How many more may be started. Outcomes that are not settled yet hold work back too, or they would pile up. */
  get free(): number {
    const { maxConcurrentRuns } = this.#engine.options
    return Math.min(maxConcurrentRuns - this.#active.size, 2 * maxConcurrentRuns - this.#held.size)
  }

  /** The runs whose lease is to be renewed. */
  held(): ReadonlySet<Run> {
    return this.#held
  }

  activeIds(): ReadonlySet<string> {
    return new Set(this.#active.keys())
  }

  isActive(executionId: string): boolean {
    return this.#active.has(executionId)
  }

  /** Executions that must not be started again yet: their old function is still at work. */
  unendedIds(): Array<string> {
    const ids: Array<string> = []
    for (const [executionId, run] of this.#active) {
      if (run.isDecided) {
        ids.push(executionId)
      }
    }
    return ids
  }

  /** Calls the function of a claimed row. */
  start(row: ExecutionRow, definition: TaskDefinition, leaseDeadlineAt: Millis): void {
    const { logger, doors } = this.#engine
    const [cancelSignal, cancel] = createReasonedCancelSignal({ logger })
    const run: Run = {
      row,
      lease: leaseOf(row),
      definition,
      cancelSignal,
      shutdownSignal: new BorrowedSignal(this.#shutdownSignal),
      cancel,
      leaseDeadlineAt,
      isDecided: false,
      isToldToLeave: false,
      timer: undefined,
    }
    this.#active.set(row.executionId, run)
    this.#held.add(run)
    run.timer = doors.clock.setTimer(row.timeoutMs, () => this.#timeOut(run))
    void runAttempt(run, this.#engine).then((event) => this.#end(run, event))
  }

  /** Fires the signal of a run whose outcome does not count any more; it was cancelled, or its lease is lost. */
  drop(run: Run, reason: DurableExecutionError): void {
    if (!run.isDecided) {
      run.isDecided = true
      this.#abandonSoon(run)
    }
    this.letGo(run)
    run.cancel(reason)
  }

  /** Tells the runs to stop, since the executor does: what they do not finish is left to others. */
  tellToLeave(reason: DurableExecutionError): void {
    for (const run of this.#active.values()) {
      run.isToldToLeave = true
      run.cancel(reason)
    }
  }

  /** The same as `drop`, by the execution's id; an execution that does not run here is fine. */
  dropById(executionId: string, reason: DurableExecutionError): void {
    const run = this.#active.get(executionId)
    if (run !== undefined) {
      this.drop(run, reason)
    }
  }

  /** The lease of the run is not ours any more, or not needed. */
  letGo(run: Run): void {
    if (this.#held.delete(run)) {
      this.#doors.onSlotFreed()
    }
    this.#changed()
  }

  /** Stops counting a function that does not end. */
  abandon(run: Run): void {
    if (this.#active.get(run.row.executionId) === run) {
      const { taskId, executionId } = run.row
      this.#engine.logger.error(
        `Task ${taskId} (execution ${executionId}) did not stop when it was told to. It is abandoned: ` +
          'it goes on by itself, and its outcome is ignored',
      )
      this.#free(run)
    }
  }

  active(): Iterable<Run> {
    return this.#active.values()
  }

  /** Resolves when no function runs and no outcome is unsettled. */
  async idle(): Promise<void> {
    while (this.#active.size > 0 || this.#held.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onChange.push(resolve)
      })
    }
  }

  #end(run: Run, event: AttemptEvent): void {
    run.timer?.cancel()
    run.shutdownSignal.giveBack()
    if (!run.isDecided) {
      run.isDecided = true
      // A run that obeyed and threw has not failed: it is unfinished, and loses no attempt.
      const isUnfinished = run.isToldToLeave && event.kind === 'failed'
      this.#doors.commit(run, isUnfinished ? releasedEvent(run) : event)
    }
    this.#free(run)
  }

  // The signal fires first, the outcome is written at once, and the function has a second to end.
  #timeOut(run: Run): void {
    const error = new DurableExecutionTimedOutError()
    run.cancel(error)
    if (!run.isDecided) {
      run.isDecided = true
      this.#doors.commit(run, failedEvent(run, toErrorStorageObject(error)))
    }
    this.#abandonSoon(run)
  }

  // A function that was told to stop and does not must not keep its slot, nor its row from being run again.
  #abandonSoon(run: Run): void {
    run.timer?.cancel()
    run.timer = this.#engine.doors.clock.setTimer(LIMITS.abandonMs, () => this.abandon(run))
  }

  #free(run: Run): void {
    run.timer?.cancel()
    if (this.#active.get(run.row.executionId) === run) {
      this.#active.delete(run.row.executionId)
      this.#doors.onSlotFreed()
      this.#changed()
    }
  }

  #changed(): void {
    if (this.#onChange.length > 0) {
      const waiting = this.#onChange
      this.#onChange = []
      for (const resolve of waiting) {
        resolve()
      }
    }
  }
}
