/** The row of one execution: its fields, and what an update may change. */

import { assert } from '../base/assert.ts'
import { type DurableExecutionErrorStorageObject } from '../base/errors.ts'
import { type DurableTaskExecutionStatusStorageObject } from './status.ts'

/**
 * When and how often a failed attempt is retried.
 *
 * @category Task
 */
export type DurableTaskRetryOptions = {
  /** How many *re*tries there may be after the first attempt: an integer, 0 or more. */
  maxAttempts: number
  /** The pause before the first retry, in milliseconds; none when omitted. */
  baseDelayMs?: number | undefined
  /** What each further pause is multiplied by: 0.1 or more; default 1. */
  delayMultiplier?: number | undefined
  /** The longest pause, in milliseconds; default a hundred years. */
  maxDelayMs?: number | undefined
}

/**
 * Names one child of an execution.
 *
 * @category Task
 */
export type DurableChildTaskExecution = {
  /** The id of the child's task. */
  taskId: string
  /** The id of the child's execution. */
  executionId: string
}

/**
 * The error of one child, as the parent's row keeps it.
 *
 * @category Storage
 */
export type DurableChildTaskExecutionErrorStorageObject = {
  /** The child's place in the list that the parent returned, from 0. */
  index: number
  taskId: string
  executionId: string
  error: DurableExecutionErrorStorageObject
}

/**
 * One thing that a suspended execution waits for, as its row keeps it. Moments are milliseconds.
 *
 * @category Storage
 */
export type DurableSuspensionStorageObject =
  /** A sleep, or the pause before the next try of a step, that is over then. */
  | { kind: 'sleep' | 'step'; name: string; until: number }
  /** The signal of that name and ordinal, at most until then. */
  | { kind: 'signal'; name: string; ordinal: number; until?: number }
  /** Children of that name, from one ordinal to another, of which so many have not ended. */
  | { kind: 'children'; name: string; from: number; to: number; left: number }

/**
 * A storage object for a durable task execution: one row. The optional fields at its end are the
 * engine's own; a storage that does not keep them is correct, and loses what each one says.
 *
 * @category Storage
 */
export type DurableTaskExecutionStorageObject = {
  /** The top of the tree this execution belongs to; absent at the top itself. */
  rootTask?: { taskId: string; executionId: string }
  /** The execution this one is a child, or the finalize task, of. */
  parentTask?: { taskId: string; executionId: string; isFinalizeTask?: boolean }
  taskId: string
  executionId: string
  retryOptions: DurableTaskRetryOptions
  /** The pause between enqueueing and the first attempt. */
  sleepMsBeforeRun: number
  /** How long each attempt may take. */
  timeoutMs: number
  /** The serialized input. */
  runInput: string
  /** The serialized output of the run; for a parent, what its own function returned. */
  runOutput?: string
  /** The serialized output of the execution; only when `completed`. */
  output?: string
  /** How many children are completed and closed. */
  childrenTasksCompletedCount: number
  /** The children, in the order the run returned them. */
  childrenTasks?: Array<DurableChildTaskExecution>
  /** At most 100, of children that ended badly; the order is not defined. */
  childrenTasksErrors?: Array<DurableChildTaskExecutionErrorStorageObject>
  /** The execution of the finalize task, once there is one. */
  finalizeTask?: DurableChildTaskExecution
  /** Only when `finalize_task_failed`. */
  finalizeTaskError?: DurableExecutionErrorStorageObject
  /** How the last attempt ended, if badly. */
  error?: DurableExecutionErrorStorageObject
  status: DurableTaskExecutionStatusStorageObject
  /** Whether the consequences of the end are written: descendants cancelled, the parent told. */
  isClosed: boolean
  /** Whether the executor that runs it is to be told that it was cancelled. */
  needsPromiseCancellation: boolean
  /** How many times an attempt was retried. */
  retryAttempts: number
  /** Not before this is the next attempt due. */
  startAt: Date
  /** When the last attempt was claimed. Each claim of a row has a later one than all before it. */
  startedAt?: Date
  finishedAt?: Date
  /** When the lease lapses. Set exactly while `running`. */
  expiresAt?: Date
  createdAt: Date
  updatedAt: Date
  /** The claim that holds, or last held, the row. Lost without it: adopting a claim whose commit is unknown. */
  leaseId?: string
  /** The executor that holds, or last held, the row. */
  executorId?: string
  /** How many times in a row the executor was lost. Lost without it: giving up a task that kills its process. */
  losses?: number
  /** How deep in its tree the row is; the root has 1. Lost without it: the limit of depth. */
  depth?: number
  /** The place in the parent's list. Lost without it: cheap errors of children in large fan-outs. */
  childIndex?: number
  /** The length of `childrenTasks`. Lost without it: counting children without reading their list. */
  childrenTasksCount?: number
  /**
   * How many children ended badly and are closed, where the parent goes on all the same. Lost without it: counting more
   * than a hundred of them without reading all children.
   */
  childrenTasksFailedCount?: number
  /**
   * What a suspended execution waits for; empty or absent if it is not suspended. A claim leaves it: of one that runs it is what it
   * waited for before. Lost without it: telling it from a retry.
   */
  suspendedFor?: Array<DurableSuspensionStorageObject>
  /** Of those that are due, those with the higher number come first; 0 if absent. Lost without it: that order. */
  priority?: number
  /** What users find it by. Lost without it: finding it so. */
  tags?: Record<string, string>
  /** When it times out, whatever it is doing. Lost without it: the deadline, and that of all below. */
  deadlineAt?: Date
  /**
   * Whether something is to be undone if it ends badly. Lost without it: seeing in a view what undoes it; and each row that ends badly costs
   * a read, to find out.
   */
  hasCompensations?: boolean
}

/** The optional fields: the engine's own, which a storage may not keep. */
export const OWN_FIELDS: ReadonlyArray<keyof DurableTaskExecutionStorageObject> = [
  'leaseId',
  'executorId',
  'losses',
  'depth',
  'childIndex',
  'childrenTasksCount',
  'childrenTasksFailedCount',
  'suspendedFor',
  'priority',
  'tags',
  'deadlineAt',
  'hasCompensations',
]

/**
 * A change of a row. What is `undefined` stays as it is; only the `unset…` flags clear a field.
 *
 * @category Storage
 */
export type DurableTaskExecutionStorageObjectUpdate = {
  runOutput?: string
  output?: string
  childrenTasksCompletedCount?: number
  childrenTasks?: Array<DurableChildTaskExecution>
  childrenTasksErrors?: Array<DurableChildTaskExecutionErrorStorageObject>
  finalizeTask?: DurableChildTaskExecution
  finalizeTaskError?: DurableExecutionErrorStorageObject
  error?: DurableExecutionErrorStorageObject
  unsetError?: boolean
  status?: DurableTaskExecutionStatusStorageObject
  isClosed?: boolean
  needsPromiseCancellation?: boolean
  retryAttempts?: number
  startAt?: Date
  startedAt?: Date
  finishedAt?: Date
  expiresAt?: Date
  unsetExpiresAt?: boolean
  updatedAt: Date
  leaseId?: string
  executorId?: string
  losses?: number
  childrenTasksCount?: number
  childrenTasksFailedCount?: number
  suspendedFor?: Array<DurableSuspensionStorageObject>
  hasCompensations?: boolean
}

export type ExecutionRow = DurableTaskExecutionStorageObject
export type ExecutionUpdate = DurableTaskExecutionStorageObjectUpdate

/** The fields that grow with a task's data; a row may be locked without them. */
export type HeavyField = 'childrenTasks' | 'runInput' | 'runOutput' | 'output'

/** A row as the rules need it: the heavy fields may not have been read. */
export type LeanRow = Omit<ExecutionRow, HeavyField> & Partial<Pick<ExecutionRow, HeavyField>>

const BLANK: LeanRow = {
  taskId: '',
  executionId: '',
  retryOptions: { maxAttempts: 0 },
  sleepMsBeforeRun: 0,
  timeoutMs: 0,
  childrenTasksCompletedCount: 0,
  status: 'ready',
  isClosed: false,
  needsPromiseCancellation: false,
  retryAttempts: 0,
  startAt: new Date(0),
  createdAt: new Date(0),
  updatedAt: new Date(0),
}

/**
 * A row to fill, with the fields that every row has, in the order in which V8 knows them best.
 *
 * Not a literal: when V8 counts how many objects of a literal outlive a scavenge, and by chance sees only those of the batch that is at work, all of
 * them do, and it makes all later ones in the old generation. A copy is not counted. Two of three runs of a benchmark had a third more memory by that.
 */
export function newRow(): LeanRow {
  return { ...BLANK }
}

/**
 * Makes the row of a new execution: `ready`, to be started after `sleepMsBeforeRun`. What is given becomes part of it, and its
 * dates may be one object, `now`: change none of them in place.
 *
 * @category Storage
 */
export function createDurableTaskExecutionStorageObject({
  now,
  rootTask,
  parentTask,
  taskId,
  executionId,
  retryOptions,
  sleepMsBeforeRun,
  timeoutMs,
  runInput,
}: {
  now: Date
  rootTask?: { taskId: string; executionId: string }
  parentTask?: { taskId: string; executionId: string; isFinalizeTask?: boolean }
  taskId: string
  executionId: string
  retryOptions: DurableTaskRetryOptions
  sleepMsBeforeRun: number
  timeoutMs: number
  runInput: string
}): DurableTaskExecutionStorageObject {
  const row: DurableTaskExecutionStorageObject = {
    taskId,
    executionId,
    retryOptions,
    sleepMsBeforeRun,
    timeoutMs,
    runInput,
    childrenTasksCompletedCount: 0,
    status: 'ready',
    isClosed: false,
    needsPromiseCancellation: false,
    retryAttempts: 0,
    // A Date takes 112 bytes.
    startAt: sleepMsBeforeRun === 0 ? now : new Date(now.getTime() + sleepMsBeforeRun),
    createdAt: now,
    updatedAt: now,
  }
  if (rootTask !== undefined) {
    row.rootTask = rootTask
  }
  if (parentTask !== undefined) {
    row.parentTask = parentTask
  }
  return row
}

/** How many children the row has. */
export function childrenCount(row: LeanRow): number {
  const count = row.childrenTasksCount ?? row.childrenTasks?.length ?? 0
  assert(row.childrenTasksCompletedCount <= count, `${row.executionId} counts more children than it has`)
  return count
}
