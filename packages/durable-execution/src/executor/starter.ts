/** Starts rows that this process has claimed, and gives back those that it cannot run. */

import { type Millis, nextTurn } from '../base/clock.ts'
import { DurableExecutionCancelledError } from '../base/errors.ts'
import { InFlight } from '../base/in-flight.ts'
import { type ExecutionRow } from '../machine/execution.ts'
import { type Engine } from './engine.ts'
import { giveBack } from './give-back.ts'
import { type Runs } from './runs.ts'
import { leaseOf } from './run.ts'
import { type Suspects } from './suspects.ts'

// Functions that compute without waiting run within the turn that starts them. So many milliseconds of them, and leases are renewed,
// timers fire and answers are read before the next one begins.
const TURN_MS = 20

export class Starter {
  readonly #engine: Engine
  readonly #runs: Runs
  readonly #suspects: Suspects
  readonly #onRunsStarted: (deadlineAt: Millis) => void
  readonly #starting = new InFlight()
  #isOver = false

  /** `onRunsStarted` hears until when the leases of what was started last. */
  constructor(engine: Engine, runs: Runs, suspects: Suspects, onRunsStarted: (deadlineAt: Millis) => void) {
    this.#engine = engine
    this.#runs = runs
    this.#suspects = suspects
    this.#onRunsStarted = onRunsStarted
  }

  /** From now on everything is given back. */
  stop(): void {
    this.#isOver = true
  }

  /** Resolves when all that was to be started has been, or was given back. */
  async idle(): Promise<void> {
    await this.#starting.idle()
  }

  /**
   * Starts rows that this process has claimed; those that cannot be run here are given back. So are those whose lease must be
   * believed lapsed: after a long wait for the commit, or after this process stood still, somebody else may have them.
   *
   * Their slots stay reserved until `letGo`: between two turns others would take them.
   */
  async start(
    rows: ReadonlyArray<ExecutionRow>,
    deadlineAt: Millis,
    letGo: () => void = () => {},
  ): Promise<void> {
    await this.#starting.run(async () => {
      const { kept, surplus } = this.#suspects.part(rows)
      // Before the first is started: it may end the process at once, and what is held then is lost once more.
      if (surplus.length > 0) {
        await this.#giveBack(surplus)
      }
      const refused = await this.#startMost(kept, deadlineAt)
      letGo()
      if (kept.length > refused.length) {
        this.#onRunsStarted(deadlineAt)
      }
      if (refused.length > 0) {
        // Most often during shutdown.
        await this.#giveBack(refused)
      }
    })
  }

  async #giveBack(rows: ReadonlyArray<ExecutionRow>): Promise<void> {
    const attempts = rows.map((row) => ({ row, lease: leaseOf(row) }))
    await giveBack(this.#engine, attempts, 'claimed executions')
  }

  /** Gives the rows that were not started. */
  async #startMost(rows: ReadonlyArray<ExecutionRow>, deadlineAt: Millis): Promise<Array<ExecutionRow>> {
    const { registry } = this.#engine
    const { clock } = this.#engine.doors
    const refused: Array<ExecutionRow> = []
    let turnEndsAt: Millis | undefined
    for (const row of rows) {
      let now = clock.monotonicNow()
      turnEndsAt ??= now + TURN_MS
      if (now >= turnEndsAt) {
        await nextTurn(clock)
        now = clock.monotonicNow()
        turnEndsAt = now + TURN_MS
      }
      const definition = registry.get(row.taskId)
      if (this.#runs.isActive(row.executionId)) {
        // It could be claimed, so the run that is still at it here has lost its lease.
        this.#runs.dropById(row.executionId, new DurableExecutionCancelledError('Task lost its lease'))
        refused.push(row)
      } else if (definition === undefined || this.#isOver || now >= deadlineAt) {
        refused.push(row)
      } else {
        this.#runs.start(row, definition, deadlineAt)
      }
    }
    return refused
  }
}
