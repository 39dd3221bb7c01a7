/** Inserting new executions; concurrent callers share one transaction. */

import { type Doors } from '../base/doors.ts'
import { LIMITS } from '../base/limits.ts'
import { holdsLease } from '../machine/attempt.ts'
import { type ExecutionRow } from '../machine/execution.ts'
import { addReady, type Effects, NO_EFFECTS } from './effects.ts'
import { insertRows } from './rows.ts'
import { type Transact, withUserTries } from './transact.ts'

/** Rows to insert, some of which this process has claimed. */
export type EarlyRows = {
  rows: ReadonlyArray<ExecutionRow>
  claimed: ReadonlyMap<string, ExecutionRow>
  /** Starts those of them that are committed. */
  begin: (claimed: ReadonlyArray<ExecutionRow>) => void
  /** They are not, or not known to be, committed. */
  drop: () => void
}

/** What the inserter needs of the executor. */
export type InserterDoors = {
  /** May claim rows before they are inserted. */
  claimEarly: (rows: ReadonlyArray<ExecutionRow>) => EarlyRows | undefined
  /** Hears what became ready, once for each transaction, before the callers do. */
  tell: (effects: Effects) => void
}

type Waiting = { row: ExecutionRow; resolve: () => void; reject: (error: unknown) => void }

/** Gathers inserts: while one is under way, the next batch gathers by itself. */
export class Inserter {
  readonly #transact: Transact
  readonly #doors: Doors
  readonly #executor: InserterDoors
  #gathered: Array<Waiting> = []
  #isFlushing = false

  constructor(transact: Transact, doors: Doors, executor: InserterDoors) {
    this.#transact = transact
    this.#doors = doors
    this.#executor = executor
  }

  /** Resolves when the row is committed. */
  insert(row: ExecutionRow): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#gathered.push({ row, resolve, reject })
      if (!this.#isFlushing) {
        this.#isFlushing = true
        queueMicrotask(() => void this.#flush())
      }
    })
  }

  /** Inserts the rows in a transaction of their own: resolves when all are committed, and rejects if none is. */
  async insertTogether(rows: ReadonlyArray<ExecutionRow>): Promise<void> {
    if (rows.length === 0) {
      return
    }
    const early = this.#executor.claimEarly(rows)
    try {
      await this.#insertRows(early?.rows ?? rows)
    } catch (error) {
      early?.drop()
      await this.#insertAgain(rows, early, error, 0)
      return
    }
    this.#inserted(rows, early)
  }

  async #flush(): Promise<void> {
    while (this.#gathered.length > 0) {
      await this.#insertBatch(this.#gathered.splice(0, LIMITS.rowsPerInsert))
    }
    this.#isFlushing = false
  }

  async #insertBatch(batch: ReadonlyArray<Waiting>): Promise<void> {
    const rows = batch.map(({ row }) => row)
    const early = this.#executor.claimEarly(rows)
    try {
      await this.#insertRows(early?.rows ?? rows)
    } catch (error) {
      early?.drop()
      // One by one: a row that the storage refuses must not fail the others, and each keeps its own answer.
      // Those that gathered meanwhile do not wait for that. After a shared try it is not known whose fault it was.
      const triesBefore = batch.length > 1 ? 1 : 0
      for (const { row, resolve, reject } of batch) {
        void this.#insertAgain([row], early, error, triesBefore).then(resolve, reject)
      }
      return
    }
    this.#inserted(rows, early)
    for (const { resolve } of batch) {
      resolve()
    }
  }

  /** After a try that failed: the next ones. With `triesBefore` 1 there is no pause before the second. */
  async #insertAgain(
    rows: ReadonlyArray<ExecutionRow>,
    early: EarlyRows | undefined,
    firstError: unknown,
    triesBefore: number,
  ): Promise<void> {
    const areClaimed = await withUserTries(
      async (tries) => {
        if (tries === 1) {
          throw firstError
        }
        return await this.#insertIfMissing(rows, early)
      },
      this.#doors.clock,
      this.#doors.random,
      triesBefore,
    )
    // What is inserted late is not claimed, since the lease began with the first try.
    this.#inserted(rows, areClaimed ? early : undefined)
  }

  async #insertRows(rows: ReadonlyArray<ExecutionRow>): Promise<void> {
    await this.#transact(async (tx) => await insertRows(tx, rows), {
      oneCall: rows.length <= LIMITS.rowsPerInsert,
    })
  }

  /**
   * Inserts the rows unless an earlier try was committed after all, though it was not heard of: then all of them are there. Tells
   * whether they are there as the first try wrote them, under the lease of this process: a later try may have been the one.
   */
  async #insertIfMissing(rows: ReadonlyArray<ExecutionRow>, early: EarlyRows | undefined): Promise<boolean> {
    const ids = rows.map((row) => row.executionId)
    const executionIds = [ids.find((id) => early?.claimed.has(id) === true) ?? ids[0] ?? '']
    return await this.#transact(async (tx) => {
      const [found] = await tx.getTaskExecutions({ type: 'by_execution_ids', executionIds })
      if (found === undefined) {
        await insertRows(tx, rows)
        return false
      }
      const claimed = early?.claimed.get(found.executionId)
      return claimed !== undefined && holdsSameLease(found, claimed)
    })
  }

  /** Starts what was claimed, and tells of the rest. */
  #inserted(rows: ReadonlyArray<ExecutionRow>, early: EarlyRows | undefined): void {
    const claimed: Array<ExecutionRow> = []
    const effects = { ...NO_EFFECTS }
    for (const row of rows) {
      const running = early?.claimed.get(row.executionId)
      if (running === undefined) {
        addReady(effects, row.startAt.getTime())
      } else {
        claimed.push(running)
      }
    }
    if (claimed.length > 0) {
      early?.begin(claimed)
    }
    if (effects.readyAtMs !== undefined) {
      this.#executor.tell(effects)
    }
  }
}

/** Whether the row that was found runs under the lease that it was given here. */
function holdsSameLease(found: ExecutionRow, { startedAt, leaseId = '' }: ExecutionRow): boolean {
  return startedAt !== undefined && holdsLease(found, { startedAt, leaseId })
}
