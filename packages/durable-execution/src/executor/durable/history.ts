/** What an execution remembers, as far as its run has read it. */

import { type ExecutionRow } from '../../machine/execution.ts'
import { compensationMarkId, idRange, isRecord } from '../../machine/records.ts'
import { type RecordReader } from './record-reader.ts'

export class RunHistory {
  readonly #prefix: string
  readonly #reader: RecordReader
  /** Rows by id; null where there is none. Only this run writes them, but for signals and children. */
  #rows: Map<string, ExecutionRow | null> | undefined
  #whole: Promise<boolean> | undefined
  #isWhole = false
  #size = 0

  /** `isEmpty`: nothing was ever remembered under the prefix, so that there is nothing to read. */
  constructor(prefix: string, reader: RecordReader, isEmpty: boolean) {
    this.#prefix = prefix
    this.#reader = reader
    this.#whole = isEmpty ? Promise.resolve(true) : undefined
    this.#isWhole = isEmpty
  }

  /** How many calls of the code earlier runs remembered, as far as that was read: no signals, and no state. */
  get size(): number {
    return this.#size
  }

  /** The rows with these ids, in their order. Those of `guesses` are read along with them where rows are read one by one. */
  async get(
    executionIds: ReadonlyArray<string>,
    guesses: () => ReadonlyArray<string> = () => [],
  ): Promise<Array<ExecutionRow | undefined>> {
    this.#whole ??= this.#readAll().catch((error: unknown) => {
      // Whoever asks again is to read again.
      this.#whole = undefined
      throw error
    })
    if (!(await this.#whole)) {
      const missing = executionIds.filter((id) => !this.#has(id))
      if (missing.length > 0) {
        const ids = [...missing, ...guesses().filter((id) => !this.#has(id))]
        const found = await this.#reader.readIds(ids)
        for (const id of ids) {
          this.#keep(id, found.get(id) ?? null)
        }
      }
    }
    return executionIds.map((id) => this.known(id))
  }

  /** Whether all was read that there is: then what is not known is not there, but for what others bring. */
  get isWhole(): boolean {
    return this.#isWhole
  }

  /** What is known of a row, without reading. */
  known(executionId: string): ExecutionRow | undefined {
    return this.#rows?.get(executionId) ?? undefined
  }

  /** How many compensations are known to be registered. */
  countCompensations(): number {
    const mark = compensationMarkId(this.#prefix)
    let count = 0
    for (const [id, row] of this.#rows ?? []) {
      count += row?.runInput === '#compensate' && isRecord(row) && id !== mark ? 1 : 0
    }
    return count
  }

  /** Reads the rows anew: others may have written them. */
  async look(executionIds: ReadonlyArray<string>): Promise<void> {
    const found = await this.#reader.readIds(executionIds)
    for (const [id, row] of found) {
      // What this run wrote was counted when it was written.
      this.#rows ??= new Map()
      this.#rows.set(id, row)
    }
  }

  async #readAll(): Promise<boolean> {
    const rows = await this.#reader.readRange(idRange(this.#prefix))
    for (const row of rows ?? []) {
      this.#keep(row.executionId, row)
    }
    this.#isWhole = rows !== undefined
    return this.#isWhole
  }

  #has(id: string): boolean {
    return this.#rows?.has(id) === true
  }

  #keep(id: string, row: ExecutionRow | null): void {
    this.#rows ??= new Map()
    if (row !== null && id.startsWith(`${this.#prefix}:`) && !this.#rows.get(id)) {
      this.#size += 1
    }
    this.#rows.set(id, row)
  }
}
