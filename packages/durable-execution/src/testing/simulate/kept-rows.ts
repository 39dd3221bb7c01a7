/** The committed rows of the simulated database, found without a look at each. */

import { type ExecutionRow, OWN_FIELDS } from '../../machine/execution.ts'
import { isFinishedStatus } from '../../machine/status.ts'

type Rows = ReadonlyMap<string, ExecutionRow>

export class KeptRows {
  readonly #all = new Map<string, ExecutionRow>()
  readonly #open = new Map<string, ExecutionRow>()
  readonly #places = new Map<string, number>()
  readonly #trees = new Map<string, Set<string>>()

  /** All, in the order in which they were inserted. */
  get all(): Rows {
    return this.#all
  }

  /** Those that are not both finished and closed. */
  get open(): Rows {
    return this.#open
  }

  keep(rows: ReadonlyArray<ExecutionRow>): void {
    for (const row of rows) {
      const { executionId, status, isClosed } = row
      this.#all.set(executionId, row)
      if (!this.#places.has(executionId)) {
        this.#places.set(executionId, this.#places.size)
      }
      if (isFinishedStatus(status) && isClosed) {
        this.#open.delete(executionId)
      } else {
        this.#open.set(executionId, row)
      }
      const rootId = rootOf(row)
      const tree = this.#trees.get(rootId) ?? new Set<string>()
      this.#trees.set(rootId, tree.add(executionId))
    }
  }

  /** The rows in the order of their insertion; those that are not kept come last. */
  inPlace(rows: Array<ExecutionRow>): Array<ExecutionRow> {
    const placeOf = ({ executionId }: ExecutionRow): number => this.#places.get(executionId) ?? Infinity
    return rows.length < 2 ? rows : rows.toSorted((a, b) => Math.sign(placeOf(a) - placeOf(b)) || 0)
  }

  /** What is kept of these rows, and of the parents of each. */
  withParents(rows: ReadonlyArray<ExecutionRow>): Rows {
    const found = new Map<string, ExecutionRow>()
    for (const { executionId, parentTask } of rows) {
      for (const row of [this.#all.get(executionId), this.#all.get(parentTask?.executionId ?? '')]) {
        if (row !== undefined) {
          found.set(row.executionId, row)
        }
      }
    }
    return found
  }

  /** All rows of the trees that these are in. */
  treesOf(rows: ReadonlyArray<ExecutionRow>): Array<ExecutionRow> {
    const rootIds = new Set(rows.map(rootOf))
    return [...rootIds].flatMap((rootId) =>
      [...(this.#trees.get(rootId) ?? [])].flatMap((executionId) => this.#all.get(executionId) ?? []),
    )
  }
}

function rootOf({ rootTask, executionId }: ExecutionRow): string {
  return rootTask?.executionId ?? executionId
}

/** The row as a storage keeps it that knows the contract alone. */
export function withoutOwnFields(row: ExecutionRow): ExecutionRow {
  const kept: Partial<ExecutionRow> = { ...row }
  for (const field of OWN_FIELDS) {
    delete kept[field]
  }
  return kept as ExecutionRow
}
