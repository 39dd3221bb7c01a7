/** The rows that conformance cases write, and how they compare what comes back. */

import assert from 'node:assert/strict'

import {
  createDurableTaskExecutionStorageObject,
  type DurableTaskExecutionStorageObject,
  type DurableTaskExecutionStorageObjectUpdate,
  OWN_FIELDS,
} from '../../machine/execution.ts'
import { ALL_STATUSES } from '../../machine/status.ts'
import {
  type DurableStorage,
  type DurableStorageTx,
  type DurableTaskExecutionStorageWhere,
} from '../../storage/contract.ts'

export type Row = DurableTaskExecutionStorageObject
export type Update = DurableTaskExecutionStorageObjectUpdate
export type Where = DurableTaskExecutionStorageWhere

/** Finds every row that there is. */
export const EVERYTHING: Where = { type: 'by_statuses', statuses: [...ALL_STATUSES] }

const START = Date.UTC(2024, 1, 29, 12, 30, 15, 250)

/** A moment, so many milliseconds after the one at which all cases begin. */
export function at(ms: number): Date {
  return new Date(START + ms)
}

/** A `ready` row of task `task`, due at `at(0)`, with what is given instead. */
export function rowOf(executionId: string, fields: Partial<Row> = {}): Row {
  const row = createDurableTaskExecutionStorageObject({
    now: at(0),
    taskId: 'task',
    executionId,
    retryOptions: { maxAttempts: 0 },
    sleepMsBeforeRun: 0,
    timeoutMs: 1_000,
    runInput: '{"input":1}',
  })
  return { ...row, ...fields }
}

/** A `running` row under a lease, as a claim leaves it. */
export function runningRow(executionId: string, fields: Partial<Row> = {}): Row {
  return rowOf(executionId, {
    status: 'running',
    startedAt: at(10),
    expiresAt: at(30_000),
    leaseId: 'lease_1',
    executorId: 'executor_1',
    ...fields,
  })
}

/** A row in which every field has a value, whether or not they could occur together. */
export function fullRow(executionId: string): Required<Row> {
  const error = { errorType: 'timed_out', message: 'too late', isRetryable: true } as const
  return {
    rootTask: { taskId: 'root', executionId: 'te_root' },
    parentTask: { taskId: 'parent', executionId: 'te_parent', isFinalizeTask: true },
    taskId: 'task_full',
    executionId,
    retryOptions: { maxAttempts: 7, baseDelayMs: 250, delayMultiplier: 1.1, maxDelayMs: 60_000 },
    sleepMsBeforeRun: 11,
    timeoutMs: 1_234,
    runInput: '{"a":[1,2]}',
    runOutput: '["run"]',
    output: '["out"]',
    childrenTasksCompletedCount: 2,
    childrenTasks: [
      { taskId: 'child_b', executionId: 'te_child_2' },
      { taskId: 'child_a', executionId: 'te_child_1' },
    ],
    childrenTasksErrors: [
      { index: 1, taskId: 'child_a', executionId: 'te_child_1', error },
      {
        index: 0,
        taskId: 'child_b',
        executionId: 'te_child_2',
        error: { errorType: 'cancelled', message: '', isRetryable: false },
      },
    ],
    finalizeTask: { taskId: 'finalize', executionId: 'te_finalize' },
    finalizeTaskError: { errorType: 'generic', message: 'finalize failed', isRetryable: false },
    error,
    status: 'finalize_task_failed',
    isClosed: true,
    needsPromiseCancellation: true,
    retryAttempts: 5,
    startAt: at(1),
    startedAt: at(2),
    finishedAt: at(3),
    expiresAt: at(4),
    createdAt: at(5),
    updatedAt: at(6),
    leaseId: 'lease_full',
    executorId: 'executor_full',
    losses: 2,
    depth: 3,
    childIndex: 4,
    childrenTasksCount: 2,
    childrenTasksFailedCount: 1,
    suspendedFor: [
      { kind: 'sleep', name: 'nap', until: 7 },
      { kind: 'signal', name: 'go', ordinal: 1 },
      { kind: 'children', name: 'child', from: 1, to: 3, left: 2 },
    ],
    priority: -6,
    tags: { customer: 'ACME', 'a.b': '' },
    deadlineAt: at(8),
    hasCompensations: true,
  }
}

/** Puts the rows into the storage in a transaction of their own. */
export async function insert(storage: DurableStorage, rows: Array<Row>): Promise<void> {
  await storage.withTransaction(async (tx) => {
    await tx.insertTaskExecutions(rows)
  })
}

/** Opens an empty storage and puts the rows into it. */
export async function openWith(
  { open }: { open: () => Promise<DurableStorage> },
  rows: Array<Row>,
): Promise<DurableStorage> {
  const storage = await open()
  // Copies, because a storage that keeps the rows of its callers must not spoil those of later cases.
  await insert(storage, structuredClone(rows))
  return storage
}

/** What matches, read in a transaction of its own. */
export async function find(
  storage: DurableStorage,
  where: Where = EVERYTHING,
  limit?: number,
): Promise<Array<Row>> {
  return await storage.withTransaction(async (tx) => await tx.getTaskExecutions(where, limit))
}

/** The ids of what matches, read in a transaction of its own. */
export async function findIds(storage: DurableStorage, where: Where, limit?: number): Promise<Array<string>> {
  return await storage.withTransaction(async (tx) => await tx.getTaskExecutionIds(where, limit))
}

/** One row, by its id, which must be there. */
export async function findOne(storage: DurableStorage, executionId: string): Promise<Row> {
  return await storage.withTransaction((tx) => getOne(tx, executionId))
}

/** One row, by its id, which must be there, as a transaction sees it. */
export async function getOne(tx: DurableStorageTx, executionId: string): Promise<Row> {
  const [row, ...more] = await tx.getTaskExecutions(byIds(executionId))
  assert.equal(more.length, 0, `${executionId} was answered more than once`)
  assert.ok(row, `${executionId} is not in the storage`)
  return row
}

/** Updates in a transaction of its own; the ids that the storage says it changed. */
export async function update(storage: DurableStorage, where: Where, change: Update): Promise<Array<string>> {
  return await storage.withTransaction(async (tx) => await tx.updateTaskExecutions(where, change))
}

/** The clause of some ids. */
export function byIds(...executionIds: Array<string>): Where & { type: 'by_execution_ids' } {
  return { type: 'by_execution_ids', executionIds }
}

/** Asserts that the row is the expected one; a field that the storage need not keep may be missing, but may not hold anything else. */
export function assertRow(actual: Partial<Row>, expected: Partial<Row>): void {
  const given = withoutUndefined(actual)
  const wanted = withoutUndefined(expected)
  for (const name of OWN_FIELDS) {
    if (given[name] === undefined) {
      delete wanted[name]
    }
  }
  assert.deepEqual(given, wanted)
}

/** Asserts that the rows are the expected ones, in any order. */
export function assertRows(actual: Array<Partial<Row>>, expected: Array<Partial<Row>>): void {
  const idsOf = (rows: Array<Partial<Row>>): Array<string> => rows.map((row) => row.executionId ?? '')
  assertIds(idsOf(actual), idsOf(expected))
  const byId = new Map(actual.map((row) => [row.executionId, row]))
  for (const row of expected) {
    assertRow(byId.get(row.executionId) ?? {}, row)
  }
}

// So many are named in a message: comparing ten thousand ids line by line would take minutes.
const NAMED_IN_MESSAGES = 10

/** Asserts that the ids are the expected ones, each once, in any order. */
export function assertIds(actual: Array<string>, expected: Array<string>): void {
  const wanted = new Set(expected)
  const given = new Set(actual)
  assert.deepEqual(
    {
      missing: expected.filter((id) => !given.has(id)).slice(0, NAMED_IN_MESSAGES),
      unexpected: actual.filter((id) => !wanted.has(id)).slice(0, NAMED_IN_MESSAGES),
      count: actual.length,
    },
    { missing: [], unexpected: [], count: expected.length },
  )
}

/** Asserts that the storage holds these rows and no others. */
export async function assertStored(storage: DurableStorage, expected: Array<Row>): Promise<void> {
  assertRows(await find(storage), expected)
}

// Dates are compared by what they say: some versions of Node find two invalid ones unequal.
function withoutUndefined(row: Partial<Row>): Partial<Row> {
  const given = Object.entries(row).filter(([, value]) => value !== undefined)
  return Object.fromEntries(
    given.map(([name, value]) => [name, value instanceof Date ? { date: String(value.getTime()) } : value]),
  )
}
