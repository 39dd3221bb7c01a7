/** Generated rows, updates and where clauses: every field, every status, whether or not they could occur together. */

import * as fc from 'fast-check'

import { ALL_STATUSES } from '../../src/machine/status.ts'
import {
  type DurableTaskExecutionStorageObject,
  type DurableTaskExecutionStorageObjectUpdate,
} from '../../src/machine/execution.ts'
import { type DurableTaskExecutionStorageWhere } from '../../src/storage/contract.ts'
import { count, IDS, LEASE_IDS, someMoment, TASK_IDS, text } from './values.ts'

export type Row = DurableTaskExecutionStorageObject
export type Update = DurableTaskExecutionStorageObjectUpdate
export type Where = DurableTaskExecutionStorageWhere

export const executionId: fc.Arbitrary<string> = fc.constantFrom(...IDS)
export const taskId: fc.Arbitrary<string> = fc.constantFrom(...TASK_IDS)
export const leaseId: fc.Arbitrary<string> = fc.constantFrom(...LEASE_IDS)

const status: fc.Arbitrary<Row['status']> = fc.oneof(
  fc.constantFrom<Row['status']>('ready', 'running'),
  fc.constantFrom(...ALL_STATUSES),
)

/** Lists of statuses: empty, of one, of several, of all. */
export const statuses: fc.Arbitrary<Array<Row['status']>> = fc.oneof(
  fc.array(status, { maxLength: 3 }),
  fc.tuple(fc.constantFrom<Row['status']>('ready', 'running')).map((one): Array<Row['status']> => one),
  fc.constant<Array<Row['status']>>([...ALL_STATUSES]),
)

/** Ids, which may be there or not, and come more than once. */
export const executionIds: fc.Arbitrary<Array<string>> = fc.array(executionId, { maxLength: 6 })

const task = fc.record({ taskId: fc.oneof(taskId, text), executionId: fc.oneof(executionId, text) })

const error = fc.record({
  errorType: fc.constantFrom<'generic' | 'timed_out' | 'cancelled'>('generic', 'timed_out', 'cancelled'),
  message: text,
  isRetryable: fc.boolean(),
})

// `undefined` is what a careless caller leaves in an object; it must be as if it were not there.
const absent = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(value, { nil: undefined, freq: 2 })

const retryOptions = fc.record({
  maxAttempts: count,
  baseDelayMs: absent(count),
  delayMultiplier: absent(fc.constantFrom(0.1, 1, 1.000_000_000_000_000_2, 1e300)),
  maxDelayMs: absent(count),
})

const flaggedTask = fc
  .tuple(task, absent(fc.boolean()))
  .map(([of, isFinalizeTask]) => ({ ...of, ...(isFinalizeTask === undefined ? {} : { isFinalizeTask }) }))

/** As the engine writes it; seldom one that says nothing, or beyond its limit. */
const priority = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(-2, -1, 1, 2) },
  { weight: 1, arbitrary: fc.constantFrom(0, -(2 ** 40), Number.MAX_SAFE_INTEGER) },
)

/** What an update may set, apart from the moments that say when. */
const changes = {
  runOutput: text,
  output: text,
  childrenTasksCompletedCount: count,
  childrenTasks: fc.array(task, { maxLength: 3 }),
  childrenTasksErrors: fc.array(
    fc.tuple(task, count, error).map(([of, index, why]) => ({ ...of, index, error: why })),
    { maxLength: 2 },
  ),
  finalizeTask: task,
  finalizeTaskError: error,
  error,
  status,
  isClosed: fc.boolean(),
  needsPromiseCancellation: fc.boolean(),
  retryAttempts: count,
  startAt: someMoment,
  startedAt: someMoment,
  finishedAt: someMoment,
  expiresAt: someMoment,
  leaseId,
  executorId: text,
  losses: count,
  childrenTasksCount: count,
  hasCompensations: fc.boolean(),
  childrenTasksFailedCount: count,
  suspendedFor: fc.array(fc.record({ kind: fc.constant('signal' as const), name: text, ordinal: count }), {
    maxLength: 2,
  }),
}

/** A change of some fields, which may also unset what it sets. */
export const update: fc.Arbitrary<Update> = fc.record(
  { ...changes, unsetError: fc.boolean(), unsetExpiresAt: fc.boolean(), updatedAt: someMoment },
  { requiredKeys: ['updatedAt'] },
)

const ALWAYS_THERE = [
  'taskId',
  'executionId',
  'retryOptions',
  'sleepMsBeforeRun',
  'timeoutMs',
  'runInput',
  'childrenTasksCompletedCount',
  'status',
  'isClosed',
  'needsPromiseCancellation',
  'retryAttempts',
  'startAt',
  'createdAt',
  'updatedAt',
] as const

/** A row with any of the fields. */
export const row: fc.Arbitrary<Row> = fc
  .record(
    {
      ...changes,
      rootTask: task,
      parentTask: flaggedTask,
      priority,
      tags: fc.dictionary(fc.constantFrom('customer', 'a.b', 'x'), text, { noNullPrototype: true }),
      deadlineAt: someMoment,
      taskId,
      executionId,
      retryOptions,
      sleepMsBeforeRun: count,
      timeoutMs: count,
      runInput: text,
      createdAt: someMoment,
      updatedAt: someMoment,
      depth: count,
      childIndex: count,
    },
    { requiredKeys: [...ALWAYS_THERE] },
  )
  .map((given) => given as Row)

/** A clause of every kind. */
export const where: fc.Arbitrary<Where> = fc.oneof(
  fc.record(
    {
      type: fc.constant('by_execution_ids' as const),
      executionIds,
      statuses,
      needsPromiseCancellation: fc.boolean(),
    },
    { requiredKeys: ['type', 'executionIds'] },
  ),
  fc.record(
    {
      type: fc.constant('by_statuses' as const),
      statuses,
      isClosed: fc.boolean(),
      expiresAtLessThan: someMoment,
    },
    { requiredKeys: ['type', 'statuses'] },
  ),
  fc.record({
    type: fc.constant('by_start_at_less_than' as const),
    statuses,
    startAtLessThan: someMoment,
  }),
)
