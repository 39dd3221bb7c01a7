/** Reads what executions remember; runs that ask in one turn are answered by one query. */

import { LIMITS } from '../../base/limits.ts'
import { type ExecutionRow } from '../../machine/execution.ts'
import { type DurableStorageIdRange } from '../../storage/contract.ts'
import { readRows } from '../../store/rows.ts'
import { TogetherReader } from '../../store/together-reader.ts'
import { type Transact } from '../../store/transact.ts'

type Batch = { ranges: Map<string, DurableStorageIdRange>; rows: Promise<RowsByRange | undefined> }

/** The rows of each range, by where it begins. */
type RowsByRange = ReadonlyMap<string, Array<ExecutionRow>>

export class RecordReader {
  readonly #transact: Transact
  readonly #rows: TogetherReader<ExecutionRow>
  #batch: Batch | undefined

  constructor(transact: Transact) {
    this.#transact = transact
    this.#rows = new TogetherReader(transact, readRows)
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

  /** The rows with these ids, and perhaps others. */
  async readIds(executionIds: ReadonlyArray<string>): Promise<ReadonlyMap<string, ExecutionRow>> {
    return await this.#rows.read(executionIds)
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
