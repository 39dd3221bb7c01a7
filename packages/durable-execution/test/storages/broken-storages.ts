/** Storages that are broken on purpose, each in one way, to show that the conformance suite can fail. */

import { ALL_STATUSES } from '../../src/machine/execution.ts'
import {
  type DurableStorage,
  type DurableStorageTx,
  type DurableTaskExecutionStorageWhere,
} from '../../src/storage/contract.ts'
import { createInMemoryStorage } from '../../src/storage/memory/in-memory-storage.ts'

type Where = DurableTaskExecutionStorageWhere
type Row = Parameters<DurableStorageTx['insertTaskExecutions']>[0][number]

type Share = Required<DurableStorage>['shareTransaction']

/** The storage, whose transactions can be shared, though there is nothing that others could write in them. */
export function withSharing(storage: DurableStorage): DurableStorage {
  const shareTransaction: Share = (use, keep) =>
    storage.withTransaction(async (tx) => {
      const value = await use({})
      await keep(tx, value)
      return value
    })
  return { shareTransaction, ...storage }
}

/** A storage in memory that shares its transactions in a way of its own. */
const withShare = (share: (storage: DurableStorage) => Share) => (): DurableStorage => {
  const storage = createInMemoryStorage()
  return { ...storage, shareTransaction: share(storage) }
}

/** What is wrong with a transaction: the members that are replaced. */
type Defect = (tx: Required<DurableStorageTx>) => Partial<DurableStorageTx>

/** A storage in memory whose transactions have the defect. */
function withDefect(defect: Defect): () => DurableStorage {
  return () => {
    const storage = createInMemoryStorage()
    return {
      withTransaction: (fn) =>
        storage.withTransaction((tx) => fn({ ...tx, ...defect(tx as Required<DurableStorageTx>) })),
    }
  }
}

/** A storage in memory with clauses that are changed before they are used. */
const withWhere = (change: (where: Where) => Where): (() => DurableStorage) =>
  withDefect((tx) => ({
    getTaskExecutionIds: (where, limit) => tx.getTaskExecutionIds(change(where), limit),
    getTaskExecutions: (where, limit) => tx.getTaskExecutions(change(where), limit),
    updateTaskExecutions: (where, update) => tx.updateTaskExecutions(change(where), update),
  }))

/** A storage in memory with rows that are changed before they are inserted. */
const withRows = (change: (row: Row) => Row): (() => DurableStorage) =>
  withDefect((tx) => ({ insertTaskExecutions: (rows) => tx.insertTaskExecutions(rows.map(change)) }))

function omit<T extends object>(value: T, ...names: Array<string>): T {
  return Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name))) as T
}

/** Commits what a rejected transaction did, then rejects. */
function createWithoutRollback(): DurableStorage {
  const storage = createInMemoryStorage()
  return {
    withTransaction: async <T>(fn: (tx: DurableStorageTx) => Promise<T>): Promise<T> => {
      const [end] = await storage.withTransaction((tx) => Promise.allSettled([fn(tx)]))
      if (end.status === 'rejected') {
        throw end.reason
      }
      return end.value
    },
  }
}

/** Each call is a transaction of its own. */
export function createWithoutTransactions(): DurableStorage {
  const storage = createInMemoryStorage()
  const inOne =
    <Given extends Array<unknown>, Answer>(
      call: (tx: DurableStorageTx, ...given: Given) => Answer | Promise<Answer>,
    ) =>
    (...given: Given): Promise<Answer> =>
      storage.withTransaction(async (tx) => await call(tx, ...given))
  return {
    withTransaction: (fn) =>
      fn({
        insertTaskExecutions: inOne((tx, ...given) => tx.insertTaskExecutions(...given)),
        getTaskExecutionIds: inOne((tx, ...given) => tx.getTaskExecutionIds(...given)),
        getTaskExecutions: inOne((tx, ...given) => tx.getTaskExecutions(...given)),
        updateTaskExecutions: inOne((tx, ...given) => tx.updateTaskExecutions(...given)),
      }),
  }
}

/** Keeps and hands out the callers' own rows. */
function createWithSharedRows(): DurableStorage {
  const storage = createInMemoryStorage()
  const shared = new Map<string, Row>()
  return {
    withTransaction: (fn) =>
      storage.withTransaction((tx) =>
        fn({
          ...tx,
          insertTaskExecutions: async (rows) => {
            await tx.insertTaskExecutions(rows)
            for (const row of rows) {
              shared.set(row.executionId, row)
            }
          },
          getTaskExecutions: async (where, limit) =>
            (await tx.getTaskExecutions(where, limit)).map((row) =>
              Object.assign(shared.get(row.executionId) ?? row, omit(row, ...NESTED)),
            ),
        }),
      ),
  }
}

const NESTED = [
  'startAt',
  'createdAt',
  'retryOptions',
  'childrenTasks',
  'childrenTasksErrors',
  'error',
  'parentTask',
]

const seconds = (row: Row): Row => ({
  ...row,
  startAt: new Date(Math.floor(row.startAt.getTime() / 1_000) * 1_000),
})

/** What is wrong, and a storage that does it so. */
export const BROKEN_STORAGES: Readonly<Record<string, () => DurableStorage>> = {
  'keeps what a rejected transaction did': createWithoutRollback,
  'makes each call a transaction of its own': createWithoutTransactions,
  'shares rows with its callers': createWithSharedRows,
  'lets an insert overwrite a row': withDefect((tx) => ({
    insertTaskExecutions: async (rows) => {
      for (const row of rows) {
        const [known] = await tx.getTaskExecutionIds({
          type: 'by_execution_ids',
          executionIds: [row.executionId],
        })
        await (known === undefined
          ? tx.insertTaskExecutions([row])
          : tx.updateTaskExecutions({ type: 'by_execution_ids', executionIds: [known] }, row))
      }
    },
  })),
  'skips rows whose id exists already': withDefect((tx) => ({
    insertTaskExecutions: async (rows) => {
      await Promise.allSettled(rows.map(async (row) => tx.insertTaskExecutions([row])))
    },
  })),
  'gives what an id begins with along with its range': withDefect((tx) => ({
    getTaskExecutionsInIdRanges: async (ranges) =>
      await tx.getTaskExecutionsInIdRanges(ranges.map(({ from, to }) => ({ from: from.slice(0, -1), to }))),
  })),
  'takes the end of a range of ids in': withDefect((tx) => ({
    getTaskExecutionsInIdRanges: async (ranges) =>
      await tx.getTaskExecutionsInIdRanges(ranges.map(({ from, to }) => ({ from, to: `${to}\0` }))),
  })),
  'leaves out the beginning of a range of ids': withDefect((tx) => ({
    getTaskExecutionsInIdRanges: async (ranges) =>
      await tx.getTaskExecutionsInIdRanges(ranges.map(({ from, to }) => ({ from: `${from}\0`, to }))),
  })),
  'orders ids as a language does': withDefect((tx) => ({
    getTaskExecutionsInIdRanges: async (ranges) => {
      const rows = await tx.getTaskExecutions({ type: 'by_statuses', statuses: [...ALL_STATUSES] })
      const { compare } = new Intl.Collator('en', { ignorePunctuation: true })
      return ranges.flatMap(({ from, to }) =>
        rows.filter(({ executionId: id }) => compare(id, from) >= 0 && (compare(id, to) < 0 || from < id)),
      )
    },
  })),
  'looks into the first range of ids alone': withDefect((tx) => ({
    getTaskExecutionsInIdRanges: async (ranges) => await tx.getTaskExecutionsInIdRanges(ranges.slice(0, 1)),
  })),
  'keeps what it wrote in a shared transaction that rejects': withShare((storage) => async (use, keep) => {
    const value = await use({})
    const [end] = await storage.withTransaction((tx) => Promise.allSettled([keep(tx, value)]))
    if (end.status === 'rejected') {
      throw end.reason
    }
    return value
  }),
  'writes in a shared transaction whose first function rejects': withShare((storage) => async (use, keep) => {
    const [end] = await Promise.allSettled([use({})])
    await storage.withTransaction((tx) => keep(tx, undefined as never))
    if (end.status === 'rejected') {
      throw end.reason
    }
    return end.value
  }),
  'hides with what a shared transaction failed': withShare((storage) => async (use, keep) => {
    try {
      return await storage.withTransaction(async (tx) => {
        const value = await use({})
        await keep(tx, value)
        return value
      })
    } catch (cause) {
      throw new Error('The transaction failed', { cause })
    }
  }),
  'answers the id of a row that was there already': withDefect((tx) => ({
    insertTaskExecutionsIfMissing: async (rows) => {
      await tx.insertTaskExecutionsIfMissing(rows)
      return rows.map((row) => row.executionId)
    },
  })),
  'inserts nothing where one of the rows is there already': withDefect((tx) => ({
    insertTaskExecutionsIfMissing: async (rows) => {
      const executionIds = rows.map((row) => row.executionId)
      const there = await tx.getTaskExecutionIds({ type: 'by_execution_ids', executionIds })
      return there.length > 0 ? [] : await tx.insertTaskExecutionsIfMissing(rows)
    },
  })),
  'takes limit 0 for no limit': withDefect((tx) => ({
    getTaskExecutionIds: (where, limit) => tx.getTaskExecutionIds(where, limit === 0 ? undefined : limit),
    getTaskExecutions: (where, limit) => tx.getTaskExecutions(where, limit === 0 ? undefined : limit),
  })),
  'takes a negative limit for 0': withDefect((tx) => ({
    getTaskExecutionIds: (where, limit) =>
      tx.getTaskExecutionIds(where, limit === undefined ? limit : Math.max(0, limit)),
  })),
  'ignores limits of rows': withDefect((tx) => ({
    getTaskExecutions: (where) => tx.getTaskExecutions(where),
  })),
  'ignores the unset flags': withDefect((tx) => ({
    updateTaskExecutions: (where, update) =>
      tx.updateTaskExecutions(where, omit(update, 'unsetError', 'unsetExpiresAt')),
  })),
  'unsets whenever a flag is there, even false': withDefect((tx) => ({
    updateTaskExecutions: (where, update) =>
      tx.updateTaskExecutions(where, 'unsetError' in update ? { ...update, unsetError: true } : update),
  })),
  'takes false, zero and an empty text for not given': withDefect((tx) => ({
    updateTaskExecutions: (where, update) =>
      tx.updateTaskExecutions(
        where,
        Object.fromEntries(Object.entries(update).filter(([, value]) => Boolean(value))) as typeof update,
      ),
  })),
  'answers the ids that were asked for, not those it changed': withDefect((tx) => ({
    updateTaskExecutions: async (where, update) => {
      const ids = await tx.updateTaskExecutions(where, update)
      return where.type === 'by_execution_ids' ? where.executionIds : ids
    },
  })),
  'answers only ids whose row an update made different': withDefect((tx) => ({
    updateTaskExecutions: async (where, update) => {
      const before = new Map(
        (await tx.getTaskExecutions(where)).map((row) => [row.executionId, JSON.stringify(row)]),
      )
      const executionIds = await tx.updateTaskExecutions(where, update)
      const after = await tx.getTaskExecutions({ type: 'by_execution_ids', executionIds })
      return after
        .filter((row) => before.get(row.executionId) !== JSON.stringify(row))
        .map((row) => row.executionId)
    },
  })),
  'ignores the statuses of an update by ids': withDefect((tx) => ({
    updateTaskExecutions: (where, update) =>
      tx.updateTaskExecutions(where.type === 'by_execution_ids' ? omit(where, 'statuses') : where, update),
  })),
  'ignores needsPromiseCancellation: false': withWhere((where) =>
    where.type === 'by_execution_ids' && where.needsPromiseCancellation === false
      ? omit(where, 'needsPromiseCancellation')
      : where,
  ),
  'ignores isClosed: false': withWhere((where) =>
    where.type === 'by_statuses' && where.isClosed === false ? omit(where, 'isClosed') : where,
  ),
  'takes an empty list of statuses for all': withWhere((where) =>
    where.statuses?.length === 0 ? { ...where, statuses: [...ALL_STATUSES] } : where,
  ),
  'finds what expires at the very moment': withWhere((where) =>
    where.type === 'by_statuses' && where.expiresAtLessThan !== undefined
      ? { ...where, expiresAtLessThan: new Date(where.expiresAtLessThan.getTime() + 1) }
      : where,
  ),
  'finds what starts at the very moment': withWhere((where) =>
    where.type === 'by_start_at_less_than'
      ? { ...where, startAtLessThan: new Date(where.startAtLessThan.getTime() + 1) }
      : where,
  ),
  'answers in the order of the ids that were asked for': withDefect((tx) => ({
    getTaskExecutionIds: async (where, limit) => {
      const ids = await tx.getTaskExecutionIds(where, limit)
      return where.type === 'by_execution_ids' ? ids.toSorted() : ids
    },
  })),
  'cuts moments to seconds': withRows(seconds),
  'normalizes texts': withRows((row) => ({ ...row, runInput: row.runInput.normalize('NFC') })),
  'cuts texts at NUL': withRows((row) => ({ ...row, runInput: row.runInput.split('\u0000')[0] ?? '' })),
  'repairs half surrogate pairs': withRows((row) => ({ ...row, runInput: row.runInput.toWellFormed() })),
  'takes an empty text for none': withRows((row) => (row.output === '' ? omit(row, 'output') : row)),
  'takes an empty list for none': withRows((row) =>
    row.childrenTasks?.length === 0 ? omit(row, 'childrenTasks') : row,
  ),
  'keeps whole numbers of 32 bits': withRows((row) => ({ ...row, timeoutMs: row.timeoutMs | 0 })),
  'ignores the case of ids': withWhere((where) =>
    where.type === 'by_execution_ids'
      ? { ...where, executionIds: where.executionIds.flatMap((id) => [id, id.toLowerCase()]) }
      : where,
  ),
  'carries no more than 5,000 ids': withWhere((where) =>
    where.type === 'by_execution_ids'
      ? { ...where, executionIds: where.executionIds.slice(0, 5_000) }
      : where,
  ),
  'claims a millisecond early': withDefect((tx) => ({
    claimTaskExecutions: (claim) =>
      tx.claimTaskExecutions({ ...claim, now: new Date(claim.now.getTime() + 1) }),
  })),
  'claims excluded executions': withDefect((tx) => ({
    claimTaskExecutions: (claim) => tx.claimTaskExecutions({ ...claim, excludedExecutionIds: [] }),
  })),
  'claims however often it was lost': withDefect((tx) => ({
    claimTaskExecutions: (claim) => tx.claimTaskExecutions(omit(claim, 'lossesLessThan')),
  })),
  'claims whatever the priority': withRows((row) => omit(row, 'priority')),
  'claims without a lease': withDefect((tx) => ({
    claimTaskExecutions: async (claim) =>
      (await tx.claimTaskExecutions(claim)).map((row) => omit(row, 'leaseId')),
  })),
  'claims out of a read alone, without taking': withDefect((tx) => ({
    claimTaskExecutions: async (claim) => {
      const due = await tx.getTaskExecutions({
        type: 'by_start_at_less_than',
        statuses: ['ready'],
        startAtLessThan: claim.now,
      })
      return due.slice(0, claim.limit).map((row) => ({ ...row, status: 'running', leaseId: claim.leaseId }))
    },
  })),
  'ignores leases in a batch': withDefect((tx) => ({
    updateTaskExecutionsBatch: (updates) =>
      tx.updateTaskExecutionsBatch(updates.map((guarded) => omit(guarded, 'leaseId'))),
  })),
  'ignores statuses in a batch': withDefect((tx) => ({
    updateTaskExecutionsBatch: (updates) =>
      tx.updateTaskExecutionsBatch(updates.map((guarded) => omit(guarded, 'statuses'))),
  })),
  'answers every id of a batch': withDefect((tx) => ({
    updateTaskExecutionsBatch: async (updates) => {
      await tx.updateTaskExecutionsBatch(updates)
      return updates.map((guarded) => guarded.executionId)
    },
  })),
  'locks lean without the errors of children': withDefect((tx) => ({
    lockTaskExecutions: async (ids, options) =>
      (await tx.lockTaskExecutions(ids, options)).map((row) => omit(row, 'childrenTasksErrors')),
  })),
  'reads whole rows where a few fields were asked for': withDefect((tx) => ({
    getTaskExecutionFields: (executionIds) =>
      tx.getTaskExecutions({ type: 'by_execution_ids', executionIds }),
  })),
  'renews whatever the lease': withDefect((tx) => ({
    renewTaskExecutions: async ({ leases, expiresAt, now }) => {
      const executionIds = leases.map((lease) => lease.executionId)
      const ids = await tx.updateTaskExecutions(
        { type: 'by_execution_ids', executionIds, statuses: ['running'] },
        { expiresAt, updatedAt: now },
      )
      return ids.map((executionId) => ({ executionId }))
    },
  })),
  'finds active children only below a parent': withDefect((tx) => ({
    getTaskExecutionIdsBelow: async (parentId, limit) => {
      const executionIds = await tx.getTaskExecutionIdsBelow(parentId, limit)
      return await tx.getTaskExecutionIds({
        type: 'by_execution_ids',
        executionIds,
        statuses: ['ready', 'running', 'waiting_for_children_tasks', 'waiting_for_finalize_task'],
      })
    },
  })),
}
