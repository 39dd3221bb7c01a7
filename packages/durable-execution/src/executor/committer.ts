/**
 * Gathers how runs ended and settles them together. While one transaction is under way the next batch
 * gathers by itself, so there is no window to wait for.
 *
 * A batch that fails though the storage answers is halved until the row at fault stands alone: one row never fails another. An
 * outcome is kept, and tried again, until its lease must be believed lapsed.
 */

import { DurableExecutionError, messageOf } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { type Refusal } from '../machine/event.ts'
import { settleRuns, type Settlement } from '../store/settle.ts'
import { isOfTheMoment, isStorageThere } from '../store/transact.ts'
import { type WriteResult } from './durable/writer.ts'
import { type Engine } from './engine.ts'
import { pauseAfter } from './pause.ts'
import { type AttemptEvent, failedEvent, type WriteEvent } from './run-attempt.ts'
import { type Run } from './run.ts'

type Outcome = Settlement & {
  run: Run
  /** Where the run goes on: hears what became of what it wrote. */
  onWritten?: (result: WriteResult) => void
}
/** Outcomes that are settled in one transaction. */
type Group = {
  outcomes: Array<Outcome>
  /** Whether an earlier try may have been committed after all. */
  isRepeat: boolean
  /** How many times a single outcome failed though its rows could be touched. */
  failuresAlone: number
}

// So many failures of one row alone, while the row itself can be touched, convict its value.
const FAILURES_OF_ONE = 3

export class Committer {
  readonly #engine: Engine
  readonly #onSettled: (run: Run) => void
  readonly #onDropped: (run: Run) => void
  #gathered: Array<Outcome> = []
  #isFlushing = false

  constructor(engine: Engine, onSettled: (run: Run) => void, onDropped: (run: Run) => void) {
    this.#engine = engine
    this.#onSettled = onSettled
    this.#onDropped = onDropped
  }

  /** `isAlone`: nothing else runs that could end in the same turn. */
  add(run: Run, event: AttemptEvent, isAlone: boolean): void {
    this.#gathered.push({ run, event, claimed: run.row })
    if (!this.#isFlushing) {
      this.#isFlushing = true
      if (isAlone) {
        queueMicrotask(() => void this.#flush())
      } else {
        // A later turn, so that what ends in one turn is settled together.
        this.#engine.doors.clock.setImmediate(() => void this.#flush())
      }
    }
  }

  /** What a run writes on its way. Each run has one such write at a time. */
  write(run: Run, event: WriteEvent, onWritten: (result: WriteResult) => void): void {
    this.#gathered.push({ run, event, claimed: run.row, onWritten })
    if (!this.#isFlushing) {
      this.#isFlushing = true
      this.#engine.doors.clock.setImmediate(() => void this.#flush())
    }
  }

  async #flush(): Promise<void> {
    while (this.#gathered.length > 0) {
      const outcomes = this.#gathered.splice(0, LIMITS.settlesPerTransaction)
      const group: Group = { outcomes, isRepeat: outcomes.some(isBesideWrite), failuresAlone: 0 }
      try {
        await this.#settle(group)
      } catch (error) {
        // What gathers meanwhile does not wait until this one is through.
        void this.#settleAfterFailure(group, error)
      }
    }
    this.#isFlushing = false
  }

  async #settleAfterFailure(first: Group, firstError: unknown): Promise<void> {
    const groups: Array<Group> = []
    let failuresInARow = 0
    const failed = async (group: Group, error: unknown): Promise<void> => {
      failuresInARow += 1
      const { next, isStorageAway } = await this.#afterFailure(group, error)
      groups.push(...next)
      // While others may still go through there is nothing to wait for, nor when all is said.
      if (groups.length > 0 && (isStorageAway || failuresInARow > groups.length)) {
        await pauseAfter(failuresInARow, this.#engine.doors)
      }
    }
    await failed(first, firstError)
    for (let group = groups.shift(); group !== undefined; group = groups.shift()) {
      const kept = this.#dropLapsed(group)
      if (kept.outcomes.length === 0) {
        continue
      }
      try {
        await this.#settle(kept)
        failuresInARow = 0
      } catch (error) {
        await failed(kept, error)
      }
    }
  }

  async #settle({ outcomes, isRepeat }: Group): Promise<void> {
    const { transact, store, tell } = this.#engine
    const { results, effects } = await settleRuns(transact, outcomes, store, { isRepeat })
    outcomes.forEach((outcome, index) => {
      const result = results[index] ?? 'not_found'
      this.#logRefusal(outcome, result)
      this.#settled(outcome, result)
    })
    tell(effects)
  }

  #settled(outcome: Outcome, result: WriteResult): void {
    if (outcome.onWritten === undefined) {
      this.#onSettled(outcome.run)
    } else {
      outcome.onWritten(result)
    }
  }

  /** What to try next: the same again while the storage is away, else in smaller groups. */
  async #afterFailure(group: Group, error: unknown): Promise<{ next: Array<Group>; isStorageAway: boolean }> {
    const { outcomes } = group
    this.#engine.logger.error(`Outcomes of ${outcomes.length} runs could not be stored yet`, error)
    const [outcome] = outcomes
    if (outcome === undefined) {
      return { next: [], isStorageAway: false }
    }
    if (!(await isStorageThere(this.#engine.transact, outcome.run.row.executionId))) {
      return { next: [{ ...group, isRepeat: true }], isStorageAway: true }
    }
    if (outcomes.length === 1) {
      const next = await this.#afterFailureAlone(group, outcome, error)
      return { next: next === undefined ? [] : [next], isStorageAway: false }
    }
    const half = Math.ceil(outcomes.length / 2)
    const halves = [outcomes.slice(0, half), outcomes.slice(half)]
    return {
      next: halves.map((some) => ({ outcomes: some, isRepeat: true, failuresAlone: 0 })),
      isStorageAway: false,
    }
  }

  /** The same again, until the outcome is convicted: then that it could not be stored is the outcome. */
  async #afterFailureAlone(
    { outcomes, failuresAlone }: Group,
    outcome: Outcome,
    error: unknown,
  ): Promise<Group | undefined> {
    if (isOfTheMoment(error) || !(await this.#canTouch(outcome))) {
      // A connection broke, somebody holds the row, or the storage has gone: that says nothing of the outcome.
      return { outcomes, isRepeat: true, failuresAlone }
    }
    if (failuresAlone + 1 < FAILURES_OF_ONE) {
      return { outcomes, isRepeat: true, failuresAlone: failuresAlone + 1 }
    }
    if (outcome.onWritten !== undefined) {
      // It may do something else instead.
      outcome.onWritten({
        error: new DurableExecutionError(`Could not be stored: ${messageOf(error)}`, false),
      })
      return undefined
    }
    const event = failedEvent(outcome.run, {
      errorType: 'generic',
      message: `Outcome could not be stored: ${messageOf(error)}`,
      isRetryable: false,
    })
    return { outcomes: [{ ...outcome, event }], isRepeat: true, failuresAlone: 0 }
  }

  /** Whether the rows that the outcome changes can be written at all: if so, it is the outcome that cannot. */
  async #canTouch({ run: { row } }: Outcome): Promise<boolean> {
    const { transact, store } = this.#engine
    const executionIds = [row.executionId]
    if (row.parentTask !== undefined) {
      executionIds.push(row.parentTask.executionId)
    }
    const where = { type: 'by_execution_ids' as const, executionIds }
    return await succeeds(
      transact(async (tx) => await tx.updateTaskExecutions(where, { updatedAt: new Date(store.now()) }), {
        oneCall: true,
      }),
    )
  }

  /** Without the outcomes whose lease must be believed lapsed: somebody else may have the row by now. */
  #dropLapsed(group: Group): Group {
    const now = this.#engine.doors.clock.monotonicNow()
    const outcomes = group.outcomes.filter((outcome) => {
      const isLapsed = group.isRepeat && outcome.run.leaseDeadlineAt <= now
      if (isLapsed) {
        const { taskId, executionId } = outcome.run.row
        this.#engine.logger.error(
          `The outcome of task ${taskId} (execution ${executionId}) is dropped: the storage could not be ` +
            'reached before the lease lapsed. The task will be run again',
        )
        if (outcome.onWritten === undefined) {
          this.#onSettled(outcome.run)
          this.#onDropped(outcome.run)
        } else {
          outcome.onWritten('stale')
        }
      }
      return !isLapsed
    })
    return { ...group, outcomes }
  }

  #logRefusal({ run, onWritten }: Outcome, result: 'accepted' | Refusal): void {
    if (result !== 'accepted' && result !== 'repeated') {
      const { taskId, executionId } = run.row
      const what = onWritten === undefined ? 'The outcome' : 'A result on the way'
      this.#engine.logger.info(
        `${what} of task ${taskId} (execution ${executionId}) is ignored (${result}): it was cancelled, ` +
          'or its lease had lapsed and somebody else has it',
      )
    }
  }
}

/** Whether the run ends while something is undecided that it wrote on its way: the row as it was claimed says too little then. */
function isBesideWrite({ run, onWritten }: Outcome): boolean {
  return onWritten === undefined && run.calls?.writer.isWriting === true
}

async function succeeds(work: Promise<unknown>): Promise<boolean> {
  try {
    await work
    return true
  } catch {
    return false
  }
}
