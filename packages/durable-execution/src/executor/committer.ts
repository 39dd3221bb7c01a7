/**
 * Gathers how runs ended and settles them together. While one transaction is under way the next batch
 * gathers by itself, so there is no window to wait for.
 *
 * A batch that fails is halved until the row at fault stands alone: one row never fails another. An
 * outcome is kept, and tried again, until its lease must be believed lapsed.
 */

import { messageOf } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { jitter } from '../base/random.ts'
import { type Refusal } from '../machine/event.ts'
import { settleRuns } from '../store/settle.ts'
import { type Engine } from './engine.ts'
import { type AttemptEvent, failedEvent } from './run-attempt.ts'
import { type Run } from './runs.ts'

type Outcome = { run: Run; event: AttemptEvent }
/** Outcomes that are settled in one transaction, and how many times that failed. */
type Group = { outcomes: Array<Outcome>; failures: number }

// So many failures of one row alone, while the row itself can be touched, convict its value.
const FAILURES_OF_ONE = 3

export class Committer {
  readonly #engine: Engine
  readonly #onSettled: (run: Run) => void
  #gathered: Array<Outcome> = []
  #isFlushing = false

  constructor(engine: Engine, onSettled: (run: Run) => void) {
    this.#engine = engine
    this.#onSettled = onSettled
  }

  add(run: Run, event: AttemptEvent): void {
    this.#gathered.push({ run, event })
    if (!this.#isFlushing) {
      this.#isFlushing = true
      // A later turn, so that what ends in one turn is settled together.
      this.#engine.doors.clock.setImmediate(() => void this.#flush())
    }
  }

  async #flush(): Promise<void> {
    while (this.#gathered.length > 0) {
      const outcomes = this.#gathered.splice(0, LIMITS.settlesPerTransaction)
      await this.#settleAll([{ outcomes, failures: 0 }])
    }
    this.#isFlushing = false
  }

  async #settleAll(groups: Array<Group>): Promise<void> {
    let failedInARow = 0
    for (let group = groups.shift(); group !== undefined; group = groups.shift()) {
      const kept = this.#dropLapsed(group)
      if (kept.outcomes.length === 0) {
        continue
      }
      try {
        await this.#settle(kept)
        failedInARow = 0
      } catch (error) {
        failedInARow += 1
        this.#engine.logger.error(`Outcomes of ${kept.outcomes.length} runs could not be stored yet`, error)
        groups.push(...(await this.#afterFailure(kept, error)))
        // Only when nothing at all goes through is the storage itself at fault, and worth waiting for.
        if (failedInARow > groups.length) {
          await this.#pause(failedInARow)
        }
      }
    }
  }

  async #settle({ outcomes, failures }: Group): Promise<void> {
    const { transact, store, tell } = this.#engine
    const { results, effects } = await settleRuns(
      transact,
      outcomes.map(({ run, event }) => ({ event, claimed: run.row })),
      store,
      { isRepeat: failures > 0 },
    )
    for (const [index, outcome] of outcomes.entries()) {
      this.#logRefusal(outcome, results[index] ?? 'not_found')
      this.#onSettled(outcome.run)
    }
    tell(effects)
  }

  async #afterFailure({ outcomes, failures }: Group, error: unknown): Promise<Array<Group>> {
    const half = Math.ceil(outcomes.length / 2)
    if (outcomes.length > 1) {
      return [
        { outcomes: outcomes.slice(0, half), failures: 1 },
        { outcomes: outcomes.slice(half), failures: 1 },
      ]
    }
    const [outcome] = outcomes
    if (outcome === undefined || failures + 1 < FAILURES_OF_ONE || !(await this.#canTouch(outcome))) {
      return [{ outcomes, failures: failures + 1 }]
    }
    const event = failedEvent(outcome.run, {
      errorType: 'generic',
      message: `Outcome could not be stored: ${messageOf(error)}`,
      isRetryable: false,
    })
    return [{ outcomes: [{ run: outcome.run, event }], failures: 1 }]
  }

  /** Whether the row can be written at all: if so, it is the outcome that cannot. */
  async #canTouch({ event }: Outcome): Promise<boolean> {
    const { transact, store } = this.#engine
    const where = { type: 'by_execution_ids' as const, executionIds: [event.executionId] }
    try {
      await transact(
        async (tx) => await tx.updateTaskExecutions(where, { updatedAt: new Date(store.now()) }),
        { oneCall: true },
      )
      return true
    } catch {
      return false
    }
  }

  /** Without the outcomes whose lease must be believed lapsed: somebody else may have the row by now. */
  #dropLapsed(group: Group): Group {
    const now = this.#engine.doors.clock.monotonicNow()
    const outcomes = group.outcomes.filter((outcome) => {
      const isLapsed = group.failures > 0 && outcome.run.leaseDeadlineAt <= now
      if (isLapsed) {
        const { taskId, executionId } = outcome.run.row
        this.#engine.logger.error(
          `The outcome of task ${taskId} (execution ${executionId}) is dropped: the storage could not be ` +
            'reached before the lease lapsed. The task will be run again',
        )
        this.#onSettled(outcome.run)
      }
      return !isLapsed
    })
    return { ...group, outcomes }
  }

  #logRefusal({ run }: Outcome, result: 'accepted' | Refusal): void {
    if (result !== 'accepted' && result !== 'repeated') {
      const { taskId, executionId } = run.row
      this.#engine.logger.info(
        `The outcome of task ${taskId} (execution ${executionId}) is ignored (${result}): it was cancelled, ` +
          'or its lease had lapsed and somebody else has it',
      )
    }
  }

  async #pause(failures: number): Promise<void> {
    const { clock, random } = this.#engine.doors
    const pauseMs = Math.min(LIMITS.userBackoffMs * 2 ** Math.min(failures, 20), LIMITS.backgroundBackoffMs)
    await new Promise<void>((resolve) => {
      clock.setTimer(jitter(pauseMs, random), resolve)
    })
  }
}
