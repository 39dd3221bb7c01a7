/** Inserting new executions; concurrent callers share one transaction. */

import { type Doors } from '../base/doors.ts'
import { LIMITS } from '../base/limits.ts'
import { type ExecutionRow } from '../machine/execution.ts'
import { insertRows } from './rows.ts'
import { type Transact, withUserTries } from './transact.ts'

type Waiting = { row: ExecutionRow; resolve: () => void; reject: (error: unknown) => void }

/** Gathers inserts: while one is under way, the next batch gathers by itself. */
export class Inserter {
  readonly #transact: Transact
  readonly #doors: Doors
  #gathered: Array<Waiting> = []
  #isFlushing = false

  constructor(transact: Transact, doors: Doors) {
    this.#transact = transact
    this.#doors = doors
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

  async #flush(): Promise<void> {
    while (this.#gathered.length > 0) {
      await this.#insertAll(this.#gathered.splice(0, LIMITS.rowsPerInsert))
    }
    this.#isFlushing = false
  }

  async #insertAll(batch: ReadonlyArray<Waiting>): Promise<void> {
    try {
      await this.#transact(
        async (tx) =>
          await insertRows(
            tx,
            batch.map(({ row }) => row),
          ),
        { oneCall: true },
      )
      for (const { resolve } of batch) {
        resolve()
      }
    } catch (error) {
      // One by one: a row that the storage refuses must not fail the others, and each keeps its own answer.
      // Those that gathered meanwhile do not wait for that.
      for (const one of batch) {
        void this.#insertOne(one, error, batch.length > 1)
      }
    }
  }

  async #insertOne(
    { row, resolve, reject }: Waiting,
    firstError: unknown,
    wasShared: boolean,
  ): Promise<void> {
    try {
      await withUserTries(
        async (tries) => {
          // The first try of a row that was alone is made already. After a shared one it is not known whose fault it was.
          if (tries === 1) {
            throw firstError
          }
          await this.#insertIfMissing(row)
        },
        this.#doors.clock,
        this.#doors.random,
        wasShared ? 1 : 0,
      )
      resolve()
    } catch (error) {
      reject(error)
    }
  }

  // The commit of any earlier try may have happened though it was not heard of.
  async #insertIfMissing(row: ExecutionRow): Promise<void> {
    await this.#transact(async (tx) => {
      const where = { type: 'by_execution_ids' as const, executionIds: [row.executionId] }
      const found = await tx.getTaskExecutionIds(where)
      if (found.length === 0) {
        await tx.insertTaskExecutions([row])
      }
    })
  }
}
