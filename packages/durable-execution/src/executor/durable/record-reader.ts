/** Reads what executions remember; runs that ask in one turn are answered by one query. */

import { LIMITS } from '../../base/limits.ts'
import { type ExecutionRow } from '../../machine/execution.ts'
import { type DurableStorageIdRange } from '../../storage/contract.ts'
import { readRows } from '../../store/rows.ts'
import { type Transact } from '../../store/transact.ts'

type Batch = { ranges: Array<DurableStorageIdRange>; rows: Promise<Array<Array<ExecutionRow>> | undefined> }

export class RecordReader {
  readonly #transact: Transact
  #batch: Batch | undefined
  #ids: { ids: Set<string>; rows: Promise<Map<string, ExecutionRow>> } | undefined

  constructor(transact: Transact) {
    this.#transact = transact
  }

  /** The rows in the range, which is that of one execution; undefined where the storage cannot look for them so. */
  async readRange(range: DurableStorageIdRange): Promise<Array<ExecutionRow> | undefined> {
    if (this.#batch === undefined || this.#batch.ranges.length >= LIMITS.idsPerCall) {
      const ranges: Array<DurableStorageIdRange> = []
      this.#batch = { ranges, rows: this.#readSoon(ranges) }
    }
    const { ranges, rows } = this.#batch
    const place = ranges.push(range) - 1
    return (await rows)?.[place]
  }

  /** The rows with these ids. */
  async readIds(executionIds: ReadonlyArray<string>): Promise<Map<string, ExecutionRow>> {
    if (this.#ids === undefined) {
      const ids = new Set<string>()
      this.#ids = { ids, rows: this.#readIdsSoon(ids) }
    }
    const { ids, rows } = this.#ids
    for (const id of executionIds) {
      ids.add(id)
    }
    return await rows
  }

  async #readSoon(ranges: Array<DurableStorageIdRange>): Promise<Array<Array<ExecutionRow>> | undefined> {
    await Promise.resolve()
    this.#batch = undefined
    const rows = await this.#transact(
      async (tx) => (await tx.getTaskExecutionsInIdRanges?.(ranges)) ?? null,
      { oneCall: true },
    )
    return rows === null ? undefined : sortInto(ranges, rows)
  }

  async #readIdsSoon(ids: Set<string>): Promise<Map<string, ExecutionRow>> {
    await Promise.resolve()
    this.#ids = undefined
    const rows = await this.#transact(async (tx) => await readRows(tx, [...ids]), {
      oneCall: ids.size <= LIMITS.idsPerCall,
    })
    return new Map(rows.map((row) => [row.executionId, row]))
  }
}

/** The rows of each range. */
function sortInto(
  ranges: ReadonlyArray<DurableStorageIdRange>,
  rows: ReadonlyArray<ExecutionRow>,
): Array<Array<ExecutionRow>> {
  if (ranges.length === 1) {
    return [[...rows]]
  }
  // All that belongs to one execution begins alike, up to the first character that no id of an execution has.
  const places = new Map(ranges.map(({ from }, place) => [from.slice(0, -1), place]))
  const sorted = ranges.map((): Array<ExecutionRow> => [])
  for (const row of rows) {
    const place = places.get(row.executionId.slice(0, row.executionId.search(/[!:]/)))
    if (place !== undefined) {
      sorted[place]?.push(row)
    }
  }
  return sorted
}
