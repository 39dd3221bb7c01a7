/** An insert that is made again: an earlier try may have been committed after all, though that was not heard of. */

import { holdsLease } from '../machine/attempt.ts'
import { type ExecutionRow, type LeanRow } from '../machine/execution.ts'
import { type DurableStorageTx } from '../storage/contract.ts'
import { findRows, type FoundRow, type KeyedRows } from './keyed.ts'
import { insertRows } from './rows.ts'

type Claimed = ReadonlyMap<string, ExecutionRow>

export class RepeatedInsert {
  readonly #rows: ReadonlyArray<ExecutionRow>
  readonly #keyed: KeyedRows | undefined
  readonly #claimed: Claimed
  /** Where one row without a key is, there are all: they are written together, and nobody else has their ids. */
  readonly #witnessId: string | undefined
  /** What the last look found. */
  found: ReadonlyMap<string, FoundRow> = new Map()

  /** `claimed`: the rows that the first try wrote as claimed by this process. */
  constructor(rows: ReadonlyArray<ExecutionRow>, keyed: KeyedRows | undefined, claimed: Claimed = new Map()) {
    this.#rows = rows
    this.#keyed = keyed
    this.#claimed = claimed
    const drawnIds = rows.map((row) => row.executionId).filter((id) => keyed?.has(id) !== true)
    this.#witnessId = drawnIds.find((id) => claimed.has(id)) ?? drawnIds[0]
  }

  /**
   * Inserts what is not there. Gives those claimed rows that are there as the first try wrote them, under the lease of this
   * process: a later try, or another process, may have been the one.
   */
  async insertMissing(tx: DurableStorageTx): Promise<Claimed> {
    await this.find(tx)
    const keyed = this.#keyed
    if (keyed !== undefined) {
      this.found.forEach((row) => keyed.found(row))
    }
    const missing = this.#rows.filter(({ executionId }) => this.#foundFor(executionId) === undefined)
    await insertRows(tx, missing)
    const ours = [...this.#claimed].filter(([executionId]) => this.#isOurs(executionId))
    return new Map(ours)
  }

  /** Looks for what is there. */
  readonly find = async (tx: DurableStorageTx): Promise<ReadonlyMap<string, FoundRow>> => {
    const ids = this.#rows.map((row) => row.executionId).filter((id) => this.#keyed?.has(id) === true)
    this.found = await findRows(tx, this.#witnessId === undefined ? ids : [this.#witnessId, ...ids])
    return this.found
  }

  /** What was found that tells of that row. */
  #foundFor(executionId: string): FoundRow | undefined {
    return this.found.get(this.#tellerOf(executionId))
  }

  #tellerOf(executionId: string): string {
    return this.#keyed?.has(executionId) === true ? executionId : (this.#witnessId ?? executionId)
  }

  #isOurs(executionId: string): boolean {
    const found = this.#foundFor(executionId)
    const claimed = this.#claimed.get(this.#tellerOf(executionId))
    if (found === undefined || claimed?.startedAt === undefined) {
      return false
    }
    const { startedAt, leaseId = '' } = claimed
    // Another process may have claimed the same key in the same millisecond: without its lease a row does not tell.
    if (found.leaseId === undefined && this.#keyed?.has(executionId) === true) {
      return false
    }
    return holdsLease(found as LeanRow, { startedAt, leaseId })
  }
}
