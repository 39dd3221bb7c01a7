/** What an execution is to users: one type for each status, holding exactly what is known then. */

import { type DurableExecutionError } from '../base/errors.ts'
import { type DurableChildTaskExecution, type DurableTaskRetryOptions } from '../machine/execution.ts'

/**
 * The error of one child of a parent that ended as `children_tasks_failed`.
 *
 * @category Task
 */
export type DurableChildTaskExecutionError = {
  /** The child's place in the list that the parent's run returned, from 0. */
  index: number
  /** The id of the child's task. */
  taskId: string
  /** The id of the child's execution. */
  executionId: string
  /** How the child ended. */
  error: DurableExecutionError
}

/** What every view has. */
export type DurableTaskExecutionCommon = {
  /** The top of the tree the execution belongs to; absent at the top itself. */
  rootTask?: { taskId: string; executionId: string }
  /** The execution this one is a child, or the finalize task, of. */
  parentTask?: { taskId: string; executionId: string; isFinalizeTask?: boolean }
  /** The id of the task. */
  taskId: string
  /** The id of the execution. */
  executionId: string
  retryOptions: DurableTaskRetryOptions
  /** The pause between enqueueing and the first attempt, in milliseconds. */
  sleepMsBeforeRun: number
  /** How long each attempt may take, in milliseconds. */
  timeoutMs: number
  /** The input, deserialized. */
  runInput: unknown
  /** Of the executions that are due, those with a higher one are taken first. */
  priority: number
  /** How many times an attempt was retried. */
  retryAttempts: number
  /** When it times out, whatever it is doing; absent without a deadline. */
  deadlineAt?: Date
  /** What it was enqueued with to be found by; absent without tags. */
  tags?: Record<string, string>
  createdAt: Date
  updatedAt: Date
  /** The execution that undoes what this one did: there once it has ended badly and was closed, if it had registered something. */
  compensation?: DurableChildTaskExecution
}

/** What an execution has once its run returned children. */
export type DurableTaskExecutionWithChildren = {
  /** What the parent's own function returned, deserialized. */
  runOutput: unknown
  /** The children, in the order the run returned them. */
  childrenTasks: Array<DurableChildTaskExecution>
}

/**
 * One thing that a suspended execution waits for.
 *
 * @category Durable code
 */
export type DurableTaskSuspension = {
  /** `step` is the pause before a step is tried again. */
  kind: 'sleep' | 'step' | 'signal' | 'children'
  /** The name of the call that waits. */
  name: string
  /** When it is over at the latest, if it ever is. */
  until?: Date
}

/**
 * Waits for its first attempt, or for the next one, or for something in the middle of its run.
 *
 * @category Task
 */
export type DurableTaskReadyExecution = DurableTaskExecutionCommon & {
  status: 'ready'
  /** How the last attempt ended, if there was one. */
  error?: DurableExecutionError
  /** Not before this is the next attempt due; for one that waits for others, the far future. */
  startAt: Date
  /** What it waits for in the middle of its run, if it does. */
  suspendedFor?: Array<DurableTaskSuspension>
}

/**
 * An executor runs it.
 *
 * @category Task
 */
export type DurableTaskRunningExecution = DurableTaskExecutionCommon & {
  status: 'running'
  /** How the attempt before this one ended, if there was one. */
  error?: DurableExecutionError
  startedAt: Date
  /** When the executor is taken for dead unless it renews its lease. */
  expiresAt: Date
}

/**
 * Its last attempt failed.
 *
 * @category Task
 */
export type DurableTaskFailedExecution = DurableTaskExecutionCommon & {
  status: 'failed'
  error: DurableExecutionError
  startedAt: Date
  finishedAt: Date
}

/**
 * Its last attempt took longer than `timeoutMs`, or all of it took longer than `deadlineMs`.
 *
 * @category Task
 */
export type DurableTaskTimedOutExecution = DurableTaskExecutionCommon & {
  status: 'timed_out'
  error: DurableExecutionError
  startedAt: Date
  /** What its run returned, deserialized; only if it waited for others when its deadline passed. */
  runOutput?: unknown
  childrenTasks?: Array<DurableChildTaskExecution>
  finalizeTask?: DurableChildTaskExecution
  finishedAt: Date
}

/**
 * It ran, and its children are not all completed yet.
 *
 * @category Task
 */
export type DurableTaskWaitingForChildrenTasksExecution = DurableTaskExecutionCommon &
  DurableTaskExecutionWithChildren & {
    status: 'waiting_for_children_tasks'
    startedAt: Date
  }

/**
 * At least one child ended otherwise than completed.
 *
 * @category Task
 */
export type DurableTaskChildrenTasksFailedExecution = DurableTaskExecutionCommon &
  DurableTaskExecutionWithChildren & {
    status: 'children_tasks_failed'
    /** At most 100; their order is not defined, and errors of further children may still be added. */
    childrenTasksErrors: Array<DurableChildTaskExecutionError>
    startedAt: Date
    finishedAt: Date
  }

/**
 * Its children are completed, its finalize task is not finished yet.
 *
 * @category Task
 */
export type DurableTaskWaitingForFinalizeTaskExecution = DurableTaskExecutionCommon &
  DurableTaskExecutionWithChildren & {
    status: 'waiting_for_finalize_task'
    /** The execution of the finalize task. */
    finalizeTask: DurableChildTaskExecution
    startedAt: Date
  }

/**
 * Its finalize task ended otherwise than completed.
 *
 * @category Task
 */
export type DurableTaskFinalizeTaskFailedExecution = DurableTaskExecutionCommon &
  DurableTaskExecutionWithChildren & {
    status: 'finalize_task_failed'
    /** The execution of the finalize task. */
    finalizeTask: DurableChildTaskExecution
    /** How the finalize task ended. */
    finalizeTaskError: DurableExecutionError
    startedAt: Date
    finishedAt: Date
  }

/**
 * It succeeded.
 *
 * @category Task
 */
export type DurableTaskCompletedExecution<TOutput> = DurableTaskExecutionCommon &
  DurableTaskExecutionWithChildren & {
    status: 'completed'
    /** The output, deserialized. */
    output: TOutput
    /** The execution of the finalize task, if the task has one. */
    finalizeTask?: DurableChildTaskExecution
    startedAt: Date
    finishedAt: Date
  }

/**
 * Somebody cancelled it, or what it belongs to ended badly.
 *
 * @category Task
 */
export type DurableTaskCancelledExecution = DurableTaskExecutionCommon & {
  status: 'cancelled'
  error: DurableExecutionError
  /** When its last attempt began, if there was one. */
  startedAt?: Date
  /** What its run returned, deserialized; only if it had ended. */
  runOutput?: unknown
  childrenTasks?: Array<DurableChildTaskExecution>
  finalizeTask?: DurableChildTaskExecution
  finishedAt: Date
}

/**
 * A task execution as users see it. Switch over its `status`.
 *
 * @category Task
 */
export type DurableTaskExecution<TOutput> =
  | DurableTaskReadyExecution
  | DurableTaskRunningExecution
  | DurableTaskFailedExecution
  | DurableTaskTimedOutExecution
  | DurableTaskWaitingForChildrenTasksExecution
  | DurableTaskChildrenTasksFailedExecution
  | DurableTaskWaitingForFinalizeTaskExecution
  | DurableTaskFinalizeTaskFailedExecution
  | DurableTaskCompletedExecution<TOutput>
  | DurableTaskCancelledExecution

/**
 * A task execution that is finished: nothing about its outcome will change.
 *
 * @category Task
 */
export type DurableTaskFinishedExecution<TOutput> =
  | DurableTaskFailedExecution
  | DurableTaskTimedOutExecution
  | DurableTaskChildrenTasksFailedExecution
  | DurableTaskFinalizeTaskFailedExecution
  | DurableTaskCompletedExecution<TOutput>
  | DurableTaskCancelledExecution
