/** Reads rows for handles; those asked for in one turn are read together. */

import { type Doors } from '../base/doors.ts'
import { LIMITS } from '../base/limits.ts'
import { type ExecutionRow } from '../machine/execution.ts'
import { readRows } from '../store/rows.ts'
import { type Transact, withUserTries } from '../store/transact.ts'

export class RowReader {
  readonly #transact: Transact
  readonly #doors: Doors
  #next: { ids: Set<string>; rows: Promise<Map<string, ExecutionRow>> } | undefined

  constructor(transact: Transact, doors: Doors) {
    this.#transact = transact
    this.#doors = doors
  }

  /** The row, or undefined if there is none. */
  async read(executionId: string): Promise<ExecutionRow | undefined> {
    if (this.#next === undefined) {
      const ids = new Set<string>()
      this.#next = { ids, rows: this.#readSoon(ids) }
    }
    this.#next.ids.add(executionId)
    return (await this.#next.rows).get(executionId)
  }

  async #readSoon(ids: Set<string>): Promise<Map<string, ExecutionRow>> {
    await Promise.resolve()
    this.#next = undefined
    const rows = await withUserTries(
      async () =>
        await this.#transact(async (tx) => await readRows(tx, [...ids]), {
          oneCall: ids.size <= LIMITS.idsPerCall,
        }),
      this.#doors.clock,
      this.#doors.random,
    )
    return new Map(rows.map((row) => [row.executionId, row]))
  }
}
