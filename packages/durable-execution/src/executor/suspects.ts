/**
 * Which suspects (`machine/apart.ts`) this process may claim: none while one runs here; otherwise a claim may find several, of which
 * the first is run and the others are given back. These are remembered, and from then on asked for one at a time.
 */

import { LIMITS } from '../base/limits.ts'
import { isSuspect } from '../machine/apart.ts'
import { type ExecutionRow } from '../machine/execution.ts'
import { type DueTasks } from '../store/claim.ts'
import { type Runs } from './runs.ts'

export class Suspects {
  readonly #runs: Runs
  /** Those that were given back, in the order in which they are asked for again. Others may run them meanwhile. */
  readonly #waiting = new Set<string>()
  /** Whether a look or a claim left suspects out, since one runs here. */
  #isLeftOut = false

  constructor(runs: Runs) {
    this.#runs = runs
  }

  /** What of the due tasks may be taken now. */
  within(taskIds: Array<string>, unendedIds: ReadonlyArray<string>): DueTasks {
    if (this.#runs.hasSuspect) {
      this.#isLeftOut = true
      return { taskIds, excludedExecutionIds: [...unendedIds], lossesLessThan: LIMITS.lossesUntilApart }
    }
    return { taskIds, excludedExecutionIds: [...unendedIds, ...[...this.#waiting].slice(1)] }
  }

  /** A claim of what `within` gave was answered. */
  claimed(due: DueTasks): void {
    const [next] = this.#waiting
    if (due.lossesLessThan === undefined && next !== undefined) {
      // Taken, or somebody else has it, or it is not due yet and will be found like any other.
      this.#waiting.delete(next)
    }
  }

  /** Whether another claim may take the next that waits. */
  get isNextDue(): boolean {
    return this.#waiting.size > 0 && !this.#runs.hasSuspect
  }

  /** Parts claimed rows: those that may be started, and those that are to be given back first. */
  part(rows: ReadonlyArray<ExecutionRow>): { kept: Array<ExecutionRow>; surplus: Array<ExecutionRow> } {
    let isTaken = this.#runs.hasSuspect
    const kept: Array<ExecutionRow> = []
    const surplus: Array<ExecutionRow> = []
    for (const row of rows) {
      // What is still active here under an older lease is not started, and must hear of it.
      if (!isSuspect(row) || this.#runs.isActive(row.executionId)) {
        kept.push(row)
      } else if (isTaken) {
        surplus.push(row)
        this.#remember(row)
      } else {
        isTaken = true
        kept.push(row)
      }
    }
    return { kept, surplus }
  }

  #remember({ executionId }: ExecutionRow): void {
    // Those beyond are claimed and given back once more.
    if (this.#waiting.size < LIMITS.idsPerCall) {
      this.#waiting.add(executionId)
    }
  }

  /** Whether those that wait, or were left out, may be taken now; of the latter it is said once. */
  takeTurn(): boolean {
    if (this.#runs.hasSuspect) {
      return false
    }
    const isTurn = this.#isLeftOut || this.#waiting.size > 0
    this.#isLeftOut = false
    return isTurn
  }
}
