/** Starts rows that this process has claimed, and gives back those that it cannot run. */

import { type Millis } from '../base/clock.ts'
import { DurableExecutionCancelledError } from '../base/errors.ts'
import { type ExecutionRow } from '../machine/execution.ts'
import { type Engine } from './engine.ts'
import { giveBack } from './give-back.ts'
import { leaseOf, type Runs } from './runs.ts'

export class Starter {
  readonly #engine: Engine
  readonly #runs: Runs
  readonly #onRunsStarted: (deadlineAt: Millis) => void
  #isOver = false

  /** `onRunsStarted` hears until when the leases of what was started last. */
  constructor(engine: Engine, runs: Runs, onRunsStarted: (deadlineAt: Millis) => void) {
    this.#engine = engine
    this.#runs = runs
    this.#onRunsStarted = onRunsStarted
  }

  /** From now on everything is given back. */
  stop(): void {
    this.#isOver = true
  }

  /**
   * Starts rows that this process has claimed; those that cannot be run here are given back. So are those whose lease must be
   * believed lapsed: after a long wait for the commit, or after this process stood still, somebody else may have them.
   */
  async start(rows: ReadonlyArray<ExecutionRow>, deadlineAt: Millis): Promise<void> {
    const { registry, doors } = this.#engine
    const refused: Array<ExecutionRow> = []
    for (const row of rows) {
      const definition = registry.get(row.taskId)
      if (this.#runs.isActive(row.executionId)) {
        // It could be claimed, so the run that is still at it here has lost its lease.
        this.#runs.dropById(row.executionId, new DurableExecutionCancelledError('Task lost its lease'))
        refused.push(row)
      } else if (definition === undefined || this.#isOver || doors.clock.monotonicNow() >= deadlineAt) {
        refused.push(row)
      } else {
        this.#runs.start(row, definition, deadlineAt)
      }
    }
    if (rows.length > refused.length) {
      this.#onRunsStarted(deadlineAt)
    }
    // Most often during shutdown.
    const attempts = refused.map((row) => ({ row, lease: leaseOf(row) }))
    await giveBack(this.#engine, attempts, 'claimed executions')
  }
}
