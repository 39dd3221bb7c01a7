/**
 * A database as the engine may expect of any: READ COMMITTED, where each statement sees what was committed before it, an update
 * waits for whoever holds the row and then looks at it again, and locks last until the end. It holds rows and nothing else.
 */

import { DurableExecutionError } from '../../base/errors.ts'
import { type ExecutionRow, type ExecutionUpdate } from '../../machine/execution.ts'
import { isFinishedStatus } from '../../machine/status.ts'
import { applyUpdate } from '../../machine/update.ts'
import {
  alreadyExistsMessage,
  type DurableStorageClaim,
  type DurableStorageGuardedUpdate,
  type DurableStorageIdRange,
  type DurableStorageRenew,
  type DurableStorageRenewed,
  type DurableTaskExecutionStorageWhere,
} from '../../storage/contract.ts'
import { type Holder, Locks } from './locks.ts'
import { KeptRows, withoutOwnFields } from './kept-rows.ts'
import { atMost, inOrder, matches } from './matching.ts'

type Rows = ReadonlyMap<string, ExecutionRow>

/**
 * What one transaction made of the rows, and who made it. `before` and `after` are the rows that it changed and the parents of
 * those; `trees` gives all rows of the trees that they are in, as they are after it.
 */
export type Commit = {
  by: string
  before: Rows
  after: Rows
  changedIds: ReadonlyArray<string>
  trees: () => Array<ExecutionRow>
}

export class SimServer {
  readonly locks: Locks = new Locks()
  /** Told of each commit, before anybody else can see it. */
  onCommit: (commit: Commit) => void = () => {}
  /** Whether there is no room for anything new. */
  isFull = false
  readonly keepsOwnFields: boolean
  readonly #kept = new KeptRows()

  constructor(keepsOwnFields: boolean) {
    this.keepsOwnFields = keepsOwnFields
  }

  get rows(): Rows {
    return this.#kept.all
  }

  /** The rows that are not both finished and closed. */
  get openRows(): Rows {
    return this.#kept.open
  }

  /** The rows in the order of their insertion; those that are not committed come last. */
  inPlace(rows: Array<ExecutionRow>): Array<ExecutionRow> {
    return this.#kept.inPlace(rows)
  }

  begin(by: string): ServerTransaction {
    return new ServerTransaction(this, by)
  }

  commit(by: string, writes: Rows): void {
    if (writes.size === 0) {
      return
    }
    const written = [...writes.values()]
    const before = this.#kept.withParents(written)
    this.#kept.keep(written)
    const after = this.#kept.withParents(written)
    const changedIds = [...writes.keys()]
    this.onCommit({ by, before, after, changedIds, trees: () => this.#kept.treesOf(written) })
  }
}

export class ServerTransaction implements Holder {
  readonly name: string
  readonly #server: SimServer
  readonly #writes = new Map<string, ExecutionRow>()
  #isOver = false

  constructor(server: SimServer, by: string) {
    this.#server = server
    this.name = by
  }

  async insert(rows: ReadonlyArray<ExecutionRow>): Promise<void> {
    for (const row of rows) {
      await this.#lock(row.executionId)
      if (this.#current(row.executionId) !== undefined) {
        throw new DurableExecutionError(alreadyExistsMessage(row.executionId), false)
      }
      this.#write(row)
    }
  }

  /** Waits for whoever inserts the same ids, and leaves those alone that are there then. */
  async insertMissing(rows: ReadonlyArray<ExecutionRow>): Promise<Array<string>> {
    const inserted: Array<string> = []
    for (const row of rows) {
      await this.#lock(row.executionId)
      if (this.#current(row.executionId) === undefined) {
        this.#write(row)
        inserted.push(row.executionId)
      }
    }
    return inserted
  }

  find(where: DurableTaskExecutionStorageWhere, limit: number | undefined): Array<ExecutionRow> {
    const found = this.#candidates(where).filter((row) => matches(row, where))
    return atMost(inOrder(found, where), limit)
  }

  async update(where: DurableTaskExecutionStorageWhere, update: ExecutionUpdate): Promise<Array<string>> {
    const changed: Array<string> = []
    for (const { executionId } of this.#inLockOrder(this.find(where, undefined))) {
      await this.#lock(executionId)
      const row = this.#current(executionId)
      if (row !== undefined && matches(row, where)) {
        this.#write(applyUpdate(row, update))
        changed.push(executionId)
      }
    }
    return changed
  }

  /** Skips what others hold. */
  async claim(claim: DurableStorageClaim): Promise<Array<ExecutionRow>> {
    const due = this.#view(this.#server.openRows).filter(
      (row) =>
        row.status === 'ready' &&
        row.startAt <= claim.now &&
        claim.taskIds.includes(row.taskId) &&
        !claim.excludedExecutionIds.includes(row.executionId) &&
        (row.losses ?? 0) < (claim.lossesLessThan ?? Infinity) &&
        !this.#server.locks.isHeldByOther(row.executionId, this),
    )
    const claimed: Array<ExecutionRow> = []
    const inOrder = due.toSorted(
      (a, b) => (b.priority ?? 0) - (a.priority ?? 0) || a.startAt.getTime() - b.startAt.getTime(),
    )
    for (const row of inOrder.slice(0, claim.limit)) {
      await this.#lock(row.executionId)
      const startedAt = new Date(Math.max(claim.now.getTime(), (row.startedAt?.getTime() ?? -Infinity) + 1))
      const { leaseId, executorId, expiresAt, now } = claim
      const update = { status: 'running', startedAt, expiresAt, leaseId, executorId, updatedAt: now } as const
      claimed.push(this.#write(applyUpdate(row, update)))
    }
    return claimed
  }

  async updateGuarded(updates: ReadonlyArray<DurableStorageGuardedUpdate>): Promise<Array<string>> {
    const changed: Array<string> = []
    for (const { executionId, statuses, leaseId, update } of this.#inLockOrder(updates)) {
      if (this.#current(executionId) === undefined) {
        continue
      }
      await this.#lock(executionId)
      const row = this.#current(executionId)
      if (
        row !== undefined &&
        (statuses === undefined || statuses.includes(row.status)) &&
        (leaseId === undefined || leaseId === row.leaseId)
      ) {
        this.#write(applyUpdate(row, update))
        changed.push(executionId)
      }
    }
    return changed
  }

  async lock(executionIds: ReadonlyArray<string>): Promise<Array<ExecutionRow>> {
    const locked: Array<ExecutionRow> = []
    for (const { executionId } of this.#inLockOrder(
      [...new Set(executionIds)].map((id) => ({ executionId: id })),
    )) {
      if (this.#current(executionId) !== undefined) {
        await this.#lock(executionId)
        const row = this.#current(executionId)
        locked.push(...(row === undefined ? [] : [row]))
      }
    }
    return locked
  }

  get(executionIds: ReadonlyArray<string>): Array<ExecutionRow> {
    return [...new Set(executionIds)].flatMap((id) => this.#current(id) ?? [])
  }

  inRanges(ranges: ReadonlyArray<DurableStorageIdRange>): Array<ExecutionRow> {
    return this.#view(this.#server.rows).filter(({ executionId }) =>
      ranges.some(({ from, to }) => from <= executionId && executionId < to),
    )
  }

  /** What others hold is skipped, and said to be. */
  async renew({ leases, expiresAt, now }: DurableStorageRenew): Promise<Array<DurableStorageRenewed>> {
    const renewed: Array<DurableStorageRenewed> = []
    for (const { executionId, leaseId } of leases) {
      const row = this.#current(executionId)
      if (row?.status !== 'running' || row.leaseId !== leaseId) {
        continue
      }
      if (this.#server.locks.isHeldByOther(executionId, this)) {
        renewed.push({ executionId, isSkipped: true })
        continue
      }
      await this.#lock(executionId)
      this.#write(applyUpdate(row, { expiresAt, updatedAt: now }))
      renewed.push({ executionId })
    }
    return renewed
  }

  idsBelow(parentId: string, limit: number): Array<string> {
    const below = this.#view(this.#server.openRows).filter(
      (row) => row.parentTask?.executionId === parentId && (!isFinishedStatus(row.status) || !row.isClosed),
    )
    return atMost(below, limit).map((row) => row.executionId)
  }

  commit(): void {
    if (this.#isOver) {
      throw connectionError('the transaction was ended')
    }
    if (this.#server.isFull && this.#writes.size > 0) {
      this.rollback()
      throw Object.assign(new Error('could not extend file: No space left on device'), { code: '53100' })
    }
    this.#server.commit(this.name, this.#writes)
    this.#end()
  }

  rollback(): void {
    this.#writes.clear()
    this.#end()
  }

  #end(): void {
    this.#isOver = true
    this.#server.locks.release(this, () => connectionError('the transaction was ended'))
  }

  async #lock(executionId: string): Promise<void> {
    if (this.#isOver) {
      throw connectionError('the transaction was ended')
    }
    await this.#server.locks.take(executionId, this, () =>
      Object.assign(new Error('deadlock detected'), { code: '40P01' }),
    )
  }

  #current(executionId: string): ExecutionRow | undefined {
    return this.#writes.get(executionId) ?? this.#server.rows.get(executionId)
  }

  /** The rows among which those are that the clause asks for. */
  #candidates(where: DurableTaskExecutionStorageWhere): Array<ExecutionRow> {
    if (where.type === 'by_execution_ids') {
      return this.#server.inPlace(this.get(where.executionIds))
    }
    const mayBeClosed = where.type !== 'by_statuses' || where.isClosed !== false
    return where.statuses.some(isFinishedStatus) && mayBeClosed
      ? this.#view(this.#server.rows)
      : this.#view(this.#server.openRows)
  }

  /** The rows as this transaction sees them now, in the order of insertion. */
  #view(committed: Rows): Array<ExecutionRow> {
    const rows = [...committed.values()]
    if (this.#writes.size === 0) {
      return rows
    }
    const changed = [...this.#writes.values()].filter(({ executionId }) => !committed.has(executionId))
    return [...rows.map((row) => this.#writes.get(row.executionId) ?? row), ...this.#server.inPlace(changed)]
  }

  #write(row: ExecutionRow): ExecutionRow {
    const kept = this.#server.keepsOwnFields ? row : withoutOwnFields(row)
    this.#writes.set(kept.executionId, kept)
    return kept
  }

  // Descending, by everybody.
  #inLockOrder<T extends { executionId: string }>(items: ReadonlyArray<T>): Array<T> {
    return items.toSorted((a, b) => (a.executionId < b.executionId ? 1 : -1))
  }
}

/** What a driver says when the connection is gone. */
export function connectionError(why: string): Error {
  return Object.assign(new Error(`simulated storage fault: ${why}`), { code: '08006' })
}
