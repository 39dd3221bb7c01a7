/** Reads by ids; those asked for in one turn are read together. */

import { LIMITS } from '../base/limits.ts'
import { type DurableStorageTx } from '../storage/contract.ts'
import { type Transact } from './transact.ts'

type ReadMany<T> = (tx: DurableStorageTx, executionIds: Array<string>) => Promise<Array<T>>

export class TogetherReader<T extends { executionId: string }> {
  readonly #transact: Transact
  readonly #readMany: ReadMany<T>
  #next: { ids: Set<string>; found: Promise<Map<string, T>> } | undefined

  /** With `transact` as it is given: whoever wants tries passes one that makes them. */
  constructor(transact: Transact, readMany: ReadMany<T>) {
    this.#transact = transact
    this.#readMany = readMany
  }

  /** What was found of these ids, and of those that others asked for in the same turn. */
  async read(executionIds: Iterable<string>): Promise<ReadonlyMap<string, T>> {
    if (this.#next === undefined) {
      const ids = new Set<string>()
      this.#next = { ids, found: this.#readSoon(ids) }
    }
    const { ids, found } = this.#next
    for (const id of executionIds) {
      ids.add(id)
    }
    return await found
  }

  async #readSoon(ids: Set<string>): Promise<Map<string, T>> {
    await Promise.resolve()
    this.#next = undefined
    const found = await this.#transact(async (tx) => await this.#readMany(tx, [...ids]), {
      oneCall: ids.size <= LIMITS.idsPerCall,
    })
    return new Map(found.map((one) => [one.executionId, one]))
  }
}
