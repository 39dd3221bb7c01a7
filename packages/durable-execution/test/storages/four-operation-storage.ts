/** A storage with the four operations and the oldest fields alone: naive on purpose, to hold others against. */

import {
  type DurableTaskExecutionStorageObject,
  type DurableTaskExecutionStorageObjectUpdate,
} from '../../src/machine/execution.ts'
import {
  type DurableStorage,
  type DurableStorageTx,
  type DurableTaskExecutionStorageWhere,
} from '../../src/storage/contract.ts'
import { createTransactionMutex } from '../../src/storage/mutex.ts'

type Row = DurableTaskExecutionStorageObject
type Update = DurableTaskExecutionStorageObjectUpdate
type Where = DurableTaskExecutionStorageWhere

const KEPT_FIELDS: ReadonlySet<string> = new Set([
  'rootTask',
  'parentTask',
  'taskId',
  'executionId',
  'retryOptions',
  'sleepMsBeforeRun',
  'timeoutMs',
  'runInput',
  'runOutput',
  'output',
  'childrenTasksCompletedCount',
  'childrenTasks',
  'childrenTasksErrors',
  'finalizeTask',
  'finalizeTaskError',
  'error',
  'status',
  'isClosed',
  'needsPromiseCancellation',
  'retryAttempts',
  'startAt',
  'startedAt',
  'finishedAt',
  'expiresAt',
  'createdAt',
  'updatedAt',
] satisfies Array<keyof Row>)

/**
 * Creates the storage: JSON texts in an array, one transaction at a time, each working on a copy of the
 * array that replaces it in the end.
 *
 * @param options - `order`: in which order rows are answered. `contract` (the default) is the contract's;
 * `scrambled` is another one at each call, since whoever uses a storage must be correct under any.
 */
export function createFourOperationStorage({
  order = 'contract',
}: { order?: 'contract' | 'scrambled' } = {}): DurableStorage {
  const mutex = createTransactionMutex()
  const scramble = order === 'scrambled' ? createScrambler() : (rows: Array<Row>): Array<Row> => rows
  let committed: Array<string> = []
  return {
    withTransaction: async (fn) => {
      await mutex.acquire()
      try {
        const working = [...committed]
        const result = await fn(createTx(working, scramble))
        committed = working
        return result
      } finally {
        mutex.release()
      }
    },
  }
}

function createTx(texts: Array<string>, scramble: (rows: Array<Row>) => Array<Row>): DurableStorageTx {
  const find = (where: Where): Array<Row> => {
    const matching = texts.map(read).filter((row) => matches(row, where))
    return scramble(matching.toSorted(orderOf(where)))
  }
  return {
    insertTaskExecutions: (executions) => {
      const ids = new Set(texts.map((text) => read(text).executionId))
      for (const { executionId } of executions) {
        if (ids.has(executionId)) {
          throw new Error(`Task execution ${executionId} already exists`)
        }
        ids.add(executionId)
      }
      texts.push(...executions.map(write))
    },
    getTaskExecutionIds: (where, limit) => first(find(where), limit).map((row) => row.executionId),
    getTaskExecutions: (where, limit) => first(find(where), limit),
    updateTaskExecutions: (where, update) => {
      const ids = new Set(find(where).map((row) => row.executionId))
      for (const [index, text] of texts.entries()) {
        const row = read(text)
        if (ids.has(row.executionId)) {
          texts[index] = write(updated(row, update))
        }
      }
      return [...ids]
    },
  }
}

function write(row: Row): string {
  return JSON.stringify(row, function (this: Record<string, unknown>, name, value: unknown) {
    if (this === (row as unknown) && !KEPT_FIELDS.has(name)) {
      return
    }
    // `value` has been turned into a text already; the moment itself is still in its holder.
    const original = this[name]
    if (!(original instanceof Date)) {
      return value
    }
    if (Number.isNaN(original.getTime())) {
      throw new TypeError(`${name} is an invalid date`)
    }
    return { moment: original.getTime() }
  })
}

function read(text: string): Row {
  return JSON.parse(text, (_name, value: unknown) => {
    const isMoment = typeof value === 'object' && value !== null && 'moment' in value
    return isMoment ? new Date(value.moment as number) : value
  }) as Row
}

function matches(row: Row, where: Where): boolean {
  const hasStatus = where.statuses === undefined || where.statuses.includes(row.status)
  switch (where.type) {
    case 'by_execution_ids':
      return (
        hasStatus &&
        where.executionIds.includes(row.executionId) &&
        (where.needsPromiseCancellation ?? row.needsPromiseCancellation) === row.needsPromiseCancellation
      )
    case 'by_statuses':
      return (
        hasStatus &&
        (where.isClosed ?? row.isClosed) === row.isClosed &&
        (where.expiresAtLessThan === undefined ||
          (row.expiresAt !== undefined && row.expiresAt < where.expiresAtLessThan))
      )
    case 'by_start_at_less_than':
      return hasStatus && row.startAt < where.startAtLessThan
  }
}

/** Sorting keeps the order of insertion among rows that are equal under it. */
function orderOf(where: Where): (left: Row, right: Row) => number {
  if (where.type === 'by_start_at_less_than') {
    return (left, right) => left.startAt.getTime() - right.startAt.getTime()
  }
  if (where.type === 'by_statuses' && where.expiresAtLessThan !== undefined) {
    return (left, right) => (left.expiresAt?.getTime() ?? 0) - (right.expiresAt?.getTime() ?? 0)
  }
  return () => 0
}

function first(rows: Array<Row>, limit?: number): Array<Row> {
  return limit !== undefined && limit >= 0 ? rows.slice(0, limit) : rows
}

function updated(row: Row, { unsetError, unsetExpiresAt, ...fields }: Update): Row {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined)
  const next: Row = { ...row, ...(Object.fromEntries(given) as Partial<Row>) }
  if (unsetError === true) {
    delete next.error
  }
  if (unsetExpiresAt === true) {
    delete next.expiresAt
  }
  return next
}

/** Puts rows in an order that looks like chance and is the same in every run. */
function createScrambler(): (rows: Array<Row>) => Array<Row> {
  let state = 1
  const draw = (): number => {
    state = (state * 48_271) % 2_147_483_647
    return state
  }
  return (rows) =>
    rows
      .map((row) => ({ row, place: draw() }))
      .toSorted((left, right) => left.place - right.place)
      .map(({ row }) => row)
}
