/** Reads rows for handles; those asked for in one turn are read together. */

import { type Doors } from '../base/doors.ts'
import { LIMITS } from '../base/limits.ts'
import { type ExecutionRow } from '../machine/execution.ts'
import { ACTIVE_STATUSES, type DurableTaskExecutionStatusStorageObject } from '../machine/status.ts'
import { type DurableStorageTx } from '../storage/contract.ts'
import { readFields, readRows } from '../store/rows.ts'
import { type Transact, withUserTries } from '../store/transact.ts'

export class RowReader {
  readonly #whole: TogetherReader<ExecutionRow>
  readonly #statuses: TogetherReader<Pick<ExecutionRow, 'executionId'> & { status?: unknown }>

  constructor(transact: Transact, doors: Doors) {
    this.#whole = new TogetherReader(transact, doors, readRows)
    this.#statuses = new TogetherReader(transact, doors, async (tx, ids) => [
      ...(await readFields(tx, ids, ['status'])).values(),
    ])
  }

  /** The row, or undefined if there is none. */
  async read(executionId: string): Promise<ExecutionRow | undefined> {
    return await this.#whole.read(executionId)
  }

  /**
   * Whether something is still to happen to the execution, for those who look again and again: a whole row may have payloads and a
   * hundred thousand children.
   */
  async isActive(executionId: string): Promise<boolean> {
    const { status } = (await this.#statuses.read(executionId)) ?? {}
    return ACTIVE_STATUSES.includes(status as DurableTaskExecutionStatusStorageObject)
  }
}

type ReadMany<T> = (tx: DurableStorageTx, executionIds: Array<string>) => Promise<Array<T>>

class TogetherReader<T extends { executionId: string }> {
  readonly #transact: Transact
  readonly #doors: Doors
  readonly #readMany: ReadMany<T>
  #next: { ids: Set<string>; found: Promise<Map<string, T>> } | undefined

  constructor(transact: Transact, doors: Doors, readMany: ReadMany<T>) {
    this.#transact = transact
    this.#doors = doors
    this.#readMany = readMany
  }

  async read(executionId: string): Promise<T | undefined> {
    if (this.#next === undefined) {
      const ids = new Set<string>()
      this.#next = { ids, found: this.#readSoon(ids) }
    }
    this.#next.ids.add(executionId)
    return (await this.#next.found).get(executionId)
  }

  async #readSoon(ids: Set<string>): Promise<Map<string, T>> {
    await Promise.resolve()
    this.#next = undefined
    const found = await withUserTries(
      async () =>
        await this.#transact(async (tx) => await this.#readMany(tx, [...ids]), {
          oneCall: ids.size <= LIMITS.idsPerCall,
        }),
      this.#doors.clock,
      this.#doors.random,
    )
    return new Map(found.map((one) => [one.executionId, one]))
  }
}
