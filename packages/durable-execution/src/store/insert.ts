/** Inserting new executions; concurrent callers share one transaction. */

import { type Doors } from '../base/doors.ts'
import { LIMITS } from '../base/limits.ts'
import { type ExecutionRow } from '../machine/execution.ts'
import { addReady, type Effects, NO_EFFECTS } from './effects.ts'
import { findKeyed, type KeyedRows } from './keyed.ts'
import { RepeatedInsert } from './repeated-insert.ts'
import { insertRows } from './rows.ts'
import { isFinal, type Transact, withUserTries } from './transact.ts'

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

type Waiting = {
  row: ExecutionRow
  keyed: KeyedRows | undefined
  resolve: () => void
  reject: (error: unknown) => void
}

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

  /** Resolves when the row is committed; or found, if it is a keyed one that is there already. */
  insert(row: ExecutionRow, keyed?: KeyedRows): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#gathered.push({ row, keyed, resolve, reject })
      if (!this.#isFlushing) {
        this.#isFlushing = true
        queueMicrotask(() => void this.#flush())
      }
    })
  }

  /**
   * Inserts the rows in a transaction of their own: resolves when all are committed, and rejects if none is. Those that are
   * keyed and there already are left as they are.
   */
  async insertTogether(given: ReadonlyArray<ExecutionRow>, keyed?: KeyedRows): Promise<void> {
    const rows = keyed === undefined ? given : await this.#missing(given, keyed)
    if (rows.length === 0) {
      return
    }
    const early = this.#executor.claimEarly(rows)
    try {
      await this.#insertRows(early?.rows ?? rows)
    } catch (error) {
      early?.drop()
      await this.#insertAgain(rows, keyed, early, error, 0)
      return
    }
    this.#inserted(rows, early)
  }

  /** Those that are not there, as far as a look tells. */
  async #missing(rows: ReadonlyArray<ExecutionRow>, keyed: KeyedRows): Promise<Array<ExecutionRow>> {
    const there = await withUserTries(
      async () => await this.#transact(async (tx) => await findKeyed(tx, rows, keyed)),
      this.#doors.clock,
      this.#doors.random,
    )
    return rows.filter(({ executionId }) => !there.has(executionId))
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
      for (const { row, keyed, resolve, reject } of batch) {
        void this.#insertAgain([row], keyed, early, error, triesBefore).then(resolve, reject)
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
    keyed: KeyedRows | undefined,
    early: EarlyRows | undefined,
    firstError: unknown,
    triesBefore: number,
  ): Promise<void> {
    // The id of a keyed row may have been there: a reason to look, and none to wait.
    const mayBeThere = keyed !== undefined && isFinal(firstError)
    const claimed = await withUserTries(
      async (tries) => {
        if (tries === 1) {
          throw firstError
        }
        return await this.#insertMissing(rows, keyed, early)
      },
      this.#doors.clock,
      this.#doors.random,
      mayBeThere ? 1 : triesBefore,
    )
    // What is inserted late is not claimed, since the lease began with the first try.
    this.#inserted(rows, early === undefined ? undefined : { ...early, claimed })
  }

  #insertRows(rows: ReadonlyArray<ExecutionRow>): Promise<void> {
    return this.#transact((tx) => insertRows(tx, rows), { oneCall: rows.length <= LIMITS.rowsPerInsert })
  }

  /** Inserts what is not there, and gives what is there as the first try wrote it. Somebody may be quicker, again and again. */
  async #insertMissing(
    rows: ReadonlyArray<ExecutionRow>,
    keyed: KeyedRows | undefined,
    early: EarlyRows | undefined,
  ): Promise<ReadonlyMap<string, ExecutionRow>> {
    const look = new RepeatedInsert(rows, keyed, early?.claimed)
    for (;;) {
      try {
        return await this.#transact(async (tx) => await look.insertMissing(tx))
      } catch (error) {
        const foundBefore = look.found.size
        // Only an id that has come since then explains what would be final.
        if (keyed === undefined || !isFinal(error) || (await this.#transact(look.find)).size <= foundBefore) {
          throw error
        }
      }
    }
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
