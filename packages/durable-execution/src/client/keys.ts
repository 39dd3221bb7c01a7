/** Idempotency keys of one enqueue: one execution for each task and key, whoever enqueues it, and however often. */

import { DurableExecutionError } from '../base/errors.ts'
import { type ExecutionRow } from '../machine/execution.ts'
import { type FoundRow, type KeyedRows } from '../store/keyed.ts'

/** The rows of one task that have keys, by the ids that are made from these. */
export class Keys implements KeyedRows {
  readonly #taskId: string
  readonly #byId = new Map<string, { key: string; row: ExecutionRow }>()

  constructor(taskId: string) {
    this.#taskId = taskId
  }

  /** Adds a row; gives the one that was added under the same key before, if there is one. */
  add(row: ExecutionRow, key: string): ExecutionRow {
    const known = this.#byId.get(row.executionId)
    if (known === undefined) {
      this.#byId.set(row.executionId, { key, row })
      return row
    }
    this.found(row)
    return known.row
  }

  has(executionId: string): boolean {
    return this.#byId.has(executionId)
  }

  /** Refuses what is there under the id of one of these rows, and was given another input. */
  found({ executionId, runInput }: FoundRow): void {
    const mine = this.#byId.get(executionId)
    if (mine !== undefined && mine.row.runInput !== runInput) {
      throw new DurableExecutionError(
        `Idempotency key ${mine.key} of task ${this.#taskId} was used with another input`,
        false,
      )
    }
  }
}
