/** What two executors do to the same rows, each as a call of a transaction, and what it must answer. */

import assert from 'node:assert/strict'

import * as fc from 'fast-check'

import { type DurableStorageTx } from '../../src/storage/contract.ts'
import { moment } from './values.ts'

/** One thing to do. Rows are named by their numbers. */
export type Deed =
  | { kind: 'claim'; limit: number }
  /** Takes ready rows by an update under a guard, as is done where a storage has no claim. */
  | { kind: 'take'; rows: Array<number> }
  /** Completes all that it holds. */
  | { kind: 'settle' }
  /** Tries to complete, under its own lease, what it does not hold. */
  | { kind: 'settle what is not held' }
  | { kind: 'renew' }
  /** Writes to rows without any guard. */
  | { kind: 'note'; rows: Array<number> }
  /** Adds one to the common count: lock, read, write. */
  | { kind: 'add' }
  /** Inserts a row whose id the other one may insert too. */
  | { kind: 'insert'; row: number }

/** Deeds that are kept or undone together. */
export type Deeds = { end: 'commit' | 'rollback'; deeds: Array<Deed> }

export const ROWS = 6
export const COUNTER = 'te_counter'
export const rowId = (row: number): string => `te_${row}`
const sharedId = (row: number): string => `te_shared_${row}`

const rows = fc.shuffledSubarray(
  Array.from({ length: ROWS }, (_, index) => index),
  { minLength: 1, maxLength: 3 },
)

const deed: fc.Arbitrary<Deed> = fc.oneof(
  fc.record({ kind: fc.constant('claim' as const), limit: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ kind: fc.constant('take' as const), rows }),
  fc.record({ kind: fc.constant('settle' as const) }),
  fc.record({ kind: fc.constant('settle what is not held' as const) }),
  fc.record({ kind: fc.constant('renew' as const) }),
  fc.record({ kind: fc.constant('note' as const), rows }),
  fc.record({ kind: fc.constant('add' as const) }),
  fc.record({ kind: fc.constant('insert' as const), row: fc.nat({ max: 2 }) }),
)

/** Transactions of one executor. */
export const deeds: fc.Arbitrary<Array<Deeds>> = fc.array(
  fc.record({
    end: fc.constantFrom<'commit' | 'rollback'>('commit', 'commit', 'commit', 'rollback'),
    deeds: fc.array(deed, { minLength: 1, maxLength: 4 }),
  }),
  { minLength: 1, maxLength: 3 },
)

/** What a transaction did, which counts if it is committed. */
export type Traces = {
  /** Unique in all that is played. */
  readonly token: string
  /** What its executor holds: rows with their leases, of this transaction and of those before. */
  readonly held: Map<string, string>
  readonly taken: Array<string>
  readonly settled: Set<string>
  readonly noted: Set<string>
  added: number
  readonly inserted: Array<string>
}

const NOW = moment(100)
const LATER = moment(900)

/** Does it; fails where the answer is not what must be, whatever the other one does meanwhile. */
export async function perform(tx: Required<DurableStorageTx>, deed: Deed, traces: Traces): Promise<void> {
  const { token, held } = traces
  switch (deed.kind) {
    case 'claim': {
      const claim = { taskIds: ['task'], excludedExecutionIds: [], limit: deed.limit, now: NOW }
      const claimed = await tx.claimTaskExecutions({
        ...claim,
        expiresAt: LATER,
        leaseId: token,
        executorId: token,
      })
      for (const row of claimed) {
        assert.deepEqual([row.status, row.leaseId], ['running', token], 'what a claim answers is claimed')
        take(traces, row.executionId)
      }
      break
    }
    case 'take': {
      const where = { type: 'by_execution_ids' as const, executionIds: deed.rows.map(rowId) }
      const lease = { leaseId: token, startedAt: NOW, expiresAt: LATER, updatedAt: NOW }
      const ids = await tx.updateTaskExecutions(
        { ...where, statuses: ['ready'] },
        { status: 'running', ...lease },
      )
      for (const id of ids) {
        take(traces, id)
      }
      break
    }
    case 'settle':
      await settleHeld(tx, traces)
      break
    case 'settle what is not held': {
      const others = Array.from({ length: ROWS }, (_, row) => rowId(row)).filter((id) => !held.has(id))
      const updates = others.map((id) => settlement(id, token, 'stolen'))
      assert.deepEqual(
        await tx.updateTaskExecutionsBatch(updates),
        [],
        'nobody settles what another one holds',
      )
      break
    }
    case 'renew': {
      const leases = [...held].map(([executionId, leaseId]) => ({ executionId, leaseId }))
      const renewed = await tx.renewTaskExecutions({ leases, expiresAt: LATER, now: NOW })
      const unsettled = [...held.keys()].filter((id) => !traces.settled.has(id))
      assert.deepEqual(sortedIds(renewed), unsettled.toSorted(), 'who holds a lease is told so')
      break
    }
    case 'note': {
      const where = { type: 'by_execution_ids' as const, executionIds: deed.rows.map(rowId) }
      const ids = await tx.updateTaskExecutions(where, { runOutput: token, updatedAt: NOW })
      assert.deepEqual(ids.toSorted(), deed.rows.map(rowId).toSorted(), 'rows that are there are written')
      ids.forEach((id) => traces.noted.add(id))
      break
    }
    case 'add': {
      const [counter] = await tx.lockTaskExecutions([COUNTER])
      const childrenTasksCompletedCount = (counter?.childrenTasksCompletedCount ?? 0) + 1
      const where = { type: 'by_execution_ids' as const, executionIds: [COUNTER] }
      await tx.updateTaskExecutions(where, { childrenTasksCompletedCount, updatedAt: NOW })
      traces.added += 1
      break
    }
    case 'insert':
      await tx.insertTaskExecutions([newRow(sharedId(deed.row), token)])
      traces.inserted.push(sharedId(deed.row))
  }
}

function take(traces: Traces, executionId: string): void {
  assert.ok(!traces.held.has(executionId), 'what one holds is not ready')
  traces.taken.push(executionId)
  traces.held.set(executionId, traces.token)
}

async function settleHeld(tx: Required<DurableStorageTx>, { held, settled, token }: Traces): Promise<void> {
  const unsettled = [...held].filter(([id]) => !settled.has(id))
  const changed = await tx.updateTaskExecutionsBatch(
    unsettled.map(([id, leaseId]) => settlement(id, leaseId, token)),
  )
  assert.deepEqual(changed.toSorted(), unsettled.map(([id]) => id).toSorted(), 'who holds a row settles it')
  changed.forEach((id) => settled.add(id))
}

type GuardedUpdate = Parameters<Required<DurableStorageTx>['updateTaskExecutionsBatch']>[0][number]

function settlement(executionId: string, leaseId: string, output: string): GuardedUpdate {
  const update = {
    status: 'completed' as const,
    output,
    finishedAt: NOW,
    unsetExpiresAt: true,
    updatedAt: NOW,
  }
  return { executionId, leaseId, statuses: ['running'], update }
}

function sortedIds(rows: Array<{ executionId: string }>): Array<string> {
  return rows.map((row) => row.executionId).toSorted()
}

/** A ready row that is due. */
export function newRow(
  executionId: string,
  runInput: string,
): Parameters<DurableStorageTx['insertTaskExecutions']>[0][number] {
  return {
    taskId: executionId.startsWith('te_shared') || executionId === COUNTER ? 'nobody' : 'task',
    executionId,
    retryOptions: { maxAttempts: 0 },
    sleepMsBeforeRun: 0,
    timeoutMs: 1_000,
    runInput,
    childrenTasksCompletedCount: 0,
    status: 'ready',
    isClosed: false,
    needsPromiseCancellation: false,
    retryAttempts: 0,
    startAt: moment(0),
    createdAt: moment(0),
    updatedAt: moment(0),
  }
}
