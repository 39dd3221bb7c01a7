/**
 * Claims new rows of this process with their insert: they are written `running`, under a lease of its own, and
 * begin once that is committed. It saves the claim, a transaction of its own, and is done only where the claim
 * would come next anyway: a slot is free, the row is due at once, and the last claim left nothing due, whatever its priority.
 * Of rows that are inserted together those of the highest priority are claimed.
 *
 * What is written is what an insert and a claim right after it would have written, by the same rule. An insert of
 * unknown outcome is looked up like a claim of unknown outcome: what is there is ours until its lease lapses.
 */

import { type Millis } from '../base/clock.ts'
import { type ExecutionRow } from '../machine/execution.ts'
import { claimNewRow } from '../machine/new-row.ts'
import { highestFirst } from '../machine/priority.ts'
import { type EarlyRows } from '../store/insert.ts'
import { type Claiming } from './claiming.ts'
import { type Engine } from './engine.ts'
import { type Runs } from './runs.ts'
import { type Starter } from './starter.ts'

export class EarlyStart {
  readonly #engine: Engine
  readonly #runs: Runs
  readonly #claiming: Claiming
  readonly #starter: Starter

  constructor(engine: Engine, runs: Runs, claiming: Claiming, starter: Starter) {
    this.#engine = engine
    this.#runs = runs
    this.#claiming = claiming
    this.#starter = starter
  }

  /** Claims as many of the rows as may begin now; undefined if none may. */
  claim(rows: ReadonlyArray<ExecutionRow>): EarlyRows | undefined {
    const { free } = this.#runs
    if (free <= 0 || !this.#claiming.isAllTaken) {
      return undefined
    }
    const { store, options, executorId, doors, registry } = this.#engine
    const now = store.now()
    const lease = { leaseId: store.newLeaseId(), executorId, expiresAt: new Date(now + options.expireMs) }
    const deadlineAt = doors.clock.monotonicNow() + options.expireMs
    const due = rows.filter((row) => row.startAt.getTime() <= now && registry.get(row.taskId) !== undefined)
    const claimed = new Map<string, ExecutionRow>()
    for (const row of highestFirst(due).slice(0, free)) {
      claimed.set(row.executionId, claimNewRow(row, lease, now))
    }
    const inserted = rows.map((row) => claimed.get(row.executionId) ?? row)
    return claimed.size === 0 ? undefined : this.#earlyRows(inserted, claimed, deadlineAt)
  }

  #earlyRows(
    rows: ReadonlyArray<ExecutionRow>,
    claimed: ReadonlyMap<string, ExecutionRow>,
    deadlineAt: Millis,
  ): EarlyRows {
    const giveBack = this.#runs.reserve(claimed.size)
    const letGo = (): void => {
      giveBack()
      // A claim may have found them taken.
      this.#claiming.slotFreed()
    }
    return {
      rows,
      claimed,
      begin: (some) => {
        void this.#starter.start(highestFirst(some), deadlineAt, letGo)
      },
      drop: letGo,
    }
  }
}
