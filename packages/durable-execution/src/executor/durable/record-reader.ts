/** Reads what executions remember; runs that ask in one turn are answered by one query. */

import { LIMITS } from '../../base/limits.ts'
import { type ExecutionRow } from '../../machine/execution.ts'
import { type DurableStorageIdRange } from '../../storage/contract.ts'
import { readRows } from '../../store/rows.ts'
import { type Transact } from '../../store/transact.ts'

type Batch = { ranges: Map<string, DurableStorageIdRange>; rows: Promise<RowsByRange | undefined> }

/** The rows of each range, by where it begins. */
type RowsByRange = ReadonlyMap<string, Array<ExecutionRow>>

export class RecordReader {
  readonly #transact: Transact
  #batch: Batch | undefined
  #ids: { ids: Set<string>; rows: Promise<Map<string, ExecutionRow>> } | undefined

  constructor(transact: Transact) {
    this.#transact = transact
  }

  /** The rows in the range, which is that of one execution; undefined where the storage cannot look for them so. */
  async readRange(range: DurableStorageIdRange): Promise<Array<ExecutionRow> | undefined> {
    if (this.#batch === undefined || this.#batch.ranges.size >= LIMITS.idsPerCall) {
      const ranges = new Map<string, DurableStorageIdRange>()
      this.#batch = { ranges, rows: this.#readSoon(ranges) }
    }
    const { ranges, rows } = this.#batch
    ranges.set(range.from, range)
    const found = await rows
    return found === undefined ? undefined : (found.get(range.from) ?? [])
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

  async #readSoon(ranges: ReadonlyMap<string, DurableStorageIdRange>): Promise<RowsByRange | undefined> {
    await Promise.resolve()
    this.#batch = undefined
    const rows = await this.#transact(
      async (tx) => (await tx.getTaskExecutionsInIdRanges?.([...ranges.values()])) ?? null,
      { oneCall: true },
    )
    return rows === null ? undefined : byRange(rows)
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

function byRange(rows: ReadonlyArray<ExecutionRow>): RowsByRange {
  const found = new Map<string, Array<ExecutionRow>>()
  for (const row of rows) {
    const from = rangeStart(row.executionId)
    const others = found.get(from)
    if (others === undefined) {
      found.set(from, [row])
    } else {
      others.push(row)
    }
  }
  return found
}

// All that belongs to one execution begins alike, up to the first character that no id of an execution has.
function rangeStart(executionId: string): string {
  return `${executionId.slice(0, executionId.search(/[!:]/))}!`
}
