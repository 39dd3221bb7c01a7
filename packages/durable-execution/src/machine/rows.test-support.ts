/** Rows for tests of the rules, each in the state that its name says. */

import { type DurableExecutionErrorStorageObject } from '../base/errors.ts'
import { type Lease } from './event.ts'
import { createDurableTaskExecutionStorageObject, type ExecutionRow } from './execution.ts'
import { type FinishedStatus } from './status.ts'

/** The instant of all sentences. */
export const NOW = 1_000_000

type Fields = Partial<ExecutionRow>

const LEASES: Readonly<Record<string, Date>> = { first: new Date(NOW - 2_000), second: new Date(NOW - 1_000) }

/** Claims of one row, by name: the `second` came after the `first`. */
export function leaseNamed(name: string): Lease {
  return { startedAt: LEASES[name] ?? new Date(NOW), leaseId: name }
}

export function ready(fields: Fields = {}): ExecutionRow {
  const row = createDurableTaskExecutionStorageObject({
    now: new Date(NOW - 10_000),
    taskId: 'task',
    executionId: 'x',
    retryOptions: { maxAttempts: 0 },
    sleepMsBeforeRun: 0,
    timeoutMs: 1_000,
    runInput: 'input',
  })
  return { ...row, depth: 1, ...fields }
}

/** Running under a lease that holds. */
export function running({ lease = 'first', ...fields }: Fields & { lease?: string } = {}): ExecutionRow {
  return ready({ status: 'running', ...leaseNamed(lease), expiresAt: new Date(NOW + 30_000), ...fields })
}

/** Running under a lease that lapsed a millisecond ago. */
export function lapsed(fields: Fields & { lease?: string } = {}): ExecutionRow {
  return running({ expiresAt: new Date(NOW - 1), ...fields })
}

/** A parent `p` that waits for `of` children, of which so many are counted. */
export function waiting({
  of,
  counted = 0,
  ...fields
}: Fields & { of: number; counted?: number }): ExecutionRow {
  const childrenTasks = Array.from({ length: of }, (_, index) => ({
    taskId: 'child',
    executionId: `c${index}`,
  }))
  return ready({
    executionId: 'p',
    taskId: 'parent',
    status: 'waiting_for_children_tasks',
    ...leaseNamed('first'),
    runOutput: 'parent output',
    childrenTasks,
    childrenTasksCount: of,
    childrenTasksCompletedCount: counted,
    ...fields,
  })
}

/** A parent `p` whose children are done and whose finalize execution `f` is not. */
export function waitingForFinalize(fields: Fields = {}): ExecutionRow {
  const finalizeTask = { taskId: 'last', executionId: 'f' }
  return waiting({ of: 1, counted: 1, status: 'waiting_for_finalize_task', finalizeTask, ...fields })
}

/** Places a row below the parent `p`, as its child of that index. */
export function child(childIndex: number, row: ExecutionRow): ExecutionRow {
  const parentTask = { taskId: 'parent', executionId: 'p' }
  return { ...row, executionId: `c${childIndex}`, taskId: 'child', parentTask, childIndex, depth: 2 }
}

/** Places a row below the parent `p`, as its finalize execution `f`. */
export function finalize(row: ExecutionRow): ExecutionRow {
  const parentTask = { taskId: 'parent', executionId: 'p', isFinalizeTask: true }
  return { ...row, executionId: 'f', taskId: 'last', parentTask, depth: 2 }
}

/** A finished row that nobody has closed yet. */
export function finished(status: FinishedStatus, fields: Fields = {}): ExecutionRow {
  const result =
    status === 'completed' ? { runOutput: 'output', output: 'output' } : { error: failure('No luck') }
  return ready({ status, ...leaseNamed('first'), finishedAt: new Date(NOW - 500), ...result, ...fields })
}

export function failure(
  message: string,
  { isRetryable = false, errorType = 'generic' }: Partial<DurableExecutionErrorStorageObject> = {},
): DurableExecutionErrorStorageObject {
  return { errorType, message, isRetryable }
}
