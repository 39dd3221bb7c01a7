/** How a user describes tasks, and what the engine makes of the description. */

import { type MaybePromise } from '../base/promise.ts'
import { type DurableTaskRunContext } from './context.ts'
import {
  type DurableTaskCommonOptions,
  type DurableTaskEnqueueOptions,
  type ResolvedOptions,
} from './options.ts'

/**
 * A task: what is to be done, under a name. Make one with `executor.task` or `executor.parentTask`;
 * `{ id: 'x' }` names a task that is defined elsewhere.
 *
 * @category Task
 */
export type DurableTask<TInput, TOutput> = {
  /** Names the task in the storage. */
  id: string
  /** Never there at run time: it carries the types. */
  readonly '~types'?: { input: TInput; output: TOutput }
}

/**
 * Options of a plain task.
 *
 * @category Task
 */
export type DurableTaskOptions<TInput, TOutput> = DurableTaskCommonOptions & {
  /** Does the work. It may run more than once, so it should be idempotent. */
  run: (ctx: DurableTaskRunContext, input: TInput) => TOutput | Promise<TOutput>
}

/**
 * Options of a parent task: it runs, then its children, then its finalize task.
 *
 * @category Task
 */
export type DurableParentTaskOptions<TInput, TRunOutput, TOutput, TFinalizeRunOutput> =
  DurableTaskCommonOptions & {
    /** Does the parent's own part and says which children are to run. */
    runParent: (
      ctx: DurableTaskRunContext,
      input: TInput,
    ) => MaybePromise<{ output: TRunOutput; childrenTasks?: Array<DurableChildTask> | null | undefined }>
    /** Runs when all children are completed; its output becomes the parent's. */
    finalizeTask?:
      | DurableFinalizeTaskOptions<TInput, TRunOutput, TOutput, TFinalizeRunOutput>
      | null
      | undefined
  }

/**
 * The output of a parent task that has no finalize task.
 *
 * @category Task
 */
export type DurableParentTaskDefaultOutput<TRunOutput> = {
  output: TRunOutput
  childrenTasksOutputs: Array<DurableChildTaskExecutionOutput>
}

/**
 * Options of a finalize task: a plain task, or a parent with children and a finalize task of its own.
 *
 * @category Task
 */
export type DurableFinalizeTaskOptions<TInput, TRunOutput, TOutput, TFinalizeRunOutput> =
  | DurableTaskOptions<DurableTaskOnChildrenCompleteInput<TInput, TRunOutput>, TOutput>
  | DurableParentTaskOptions<
      DurableTaskOnChildrenCompleteInput<TInput, TRunOutput>,
      TFinalizeRunOutput,
      TOutput,
      unknown
    >

/**
 * What a finalize task is given.
 *
 * @category Task
 */
export type DurableTaskOnChildrenCompleteInput<TInput, TRunOutput> = {
  /** The parent's input. */
  input: TInput
  /** What the parent's own function returned as `output`. */
  output: TRunOutput
  /** The children's outputs, in the order in which they were returned. */
  childrenTasksOutputs: Array<DurableChildTaskExecutionOutput>
}

/**
 * A child that a parent's run asks for. In a list of different tasks the compiler does not compare an input with
 * its task; `satisfies DurableChildTask<Input, Output>` asks it to.
 *
 * @category Task
 */
export type DurableChildTask<TInput = unknown, TOutput = unknown> = {
  /** A task that is defined on the executor that runs the parent. */
  task: DurableTask<TInput, TOutput>
  /** Its input; checked, if the task says how. */
  input: TInput
  /** What is different for this execution; the rest is the task's own. */
  options?: DurableTaskEnqueueOptions | null | undefined
}

/**
 * The output of one child. The engine does not know its type in a list of different tasks: it is `unknown` until
 * you say what it is.
 *
 * @category Task
 */
export type DurableChildTaskExecutionOutput<TOutput = unknown> = {
  /** The child's place in the list that the parent returned, from 0. */
  index: number
  /** The id of the child's task. */
  taskId: string
  /** The id of the child's execution. */
  executionId: string
  /** What the child's function returned; for a parent, its finalize task's output. */
  output: TOutput
}

/** What a run returned, before it is turned into text. */
export type RunOutcome =
  | { kind: 'plain'; output: unknown }
  | { kind: 'parent'; output: unknown; childrenTasks: ReadonlyArray<DurableChildTask> }

/** A task as the engine holds it. */
export type TaskDefinition = {
  id: string
  options: ResolvedOptions
  /** After how many losses it is given up; undefined: the executor's own number. */
  maxLosses: number | undefined
  /** Rejects what is no input, and returns what is stored and run. Absent: anything goes. */
  validateInput: ((input: unknown) => MaybePromise<unknown>) | undefined
  isParent: boolean
  /** Calls the user's function; what that throws at once, this throws. */
  run: (ctx: DurableTaskRunContext, input: unknown) => MaybePromise<RunOutcome>
  finalize: TaskDefinition | undefined
  /** A step of a sequence hands its child's output on as it is. */
  isSequenceStep: boolean
}
