/** How a user describes tasks, and what the engine makes of the description. */

import { type MaybePromise } from '../base/promise.ts'
import { type ChildFailure, type COMPLETED } from '../machine/parent.ts'
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
 * What becomes of a parent whose child ends otherwise than completed. `fail_fast`, the default: the first one ends the
 * parent, and its other children are cancelled. `settle`: the parent goes on when all children have ended, however they
 * did. `tolerateFailures`: so many may end badly, as with `settle`; one more ends the parent, as with `fail_fast`.
 *
 * @category Task
 */
export type DurableChildrenPolicy = 'fail_fast' | DurableSettlingChildrenPolicy

/**
 * The policies under which a parent may go on though a child ended badly.
 *
 * @category Task
 */
export type DurableSettlingChildrenPolicy = 'settle' | { tolerateFailures: number }

/**
 * Options of a parent task: it runs, then its children, then its finalize task.
 *
 * @category Task
 */
export type DurableParentTaskOptions<
  TInput,
  TRunOutput,
  TOutput,
  TFinalizeRunOutput,
  TPolicy extends DurableChildrenPolicy = 'fail_fast',
  TFinalizePolicy extends DurableChildrenPolicy = 'fail_fast',
> = DurableTaskCommonOptions & {
  /** Does the parent's own part and says which children are to run. */
  runParent: (
    ctx: DurableTaskRunContext,
    input: TInput,
  ) => MaybePromise<{ output: TRunOutput; childrenTasks?: Array<DurableChildTask> | null | undefined }>
  /** Runs when all children are completed or, if the policy says so, have ended; its output becomes the parent's. */
  finalizeTask?:
    | DurableFinalizeTaskOptions<TInput, TRunOutput, TOutput, TFinalizeRunOutput, TPolicy, TFinalizePolicy>
    | null
    | undefined
  /** What becomes of the parent when a child ends otherwise than completed; default `fail_fast`. */
  childrenPolicy?: TPolicy | null | undefined
}

/**
 * Options of a parent task that goes on though some of its children end badly.
 *
 * @category Task
 */
export type DurableSettlingParentTaskOptions<
  TInput,
  TRunOutput,
  TOutput,
  TFinalizeRunOutput,
  TFinalizePolicy extends DurableChildrenPolicy = 'fail_fast',
> = DurableParentTaskOptions<
  TInput,
  TRunOutput,
  TOutput,
  TFinalizeRunOutput,
  DurableSettlingChildrenPolicy,
  TFinalizePolicy
> & { childrenPolicy: DurableSettlingChildrenPolicy }

/**
 * The output of a parent task that has no finalize task.
 *
 * @category Task
 */
export type DurableParentTaskDefaultOutput<
  TRunOutput,
  TPolicy extends DurableChildrenPolicy = 'fail_fast',
> = {
  output: TRunOutput
  childrenTasksOutputs: Array<DurableChildTaskOutcome<TPolicy>>
}

/**
 * Options of a finalize task: a plain task, or a parent with children and a finalize task of its own.
 *
 * @category Task
 */
export type DurableFinalizeTaskOptions<
  TInput,
  TRunOutput,
  TOutput,
  TFinalizeRunOutput,
  TPolicy extends DurableChildrenPolicy = 'fail_fast',
  TFinalizePolicy extends DurableChildrenPolicy = 'fail_fast',
> =
  | DurableTaskOptions<DurableTaskOnChildrenCompleteInput<TInput, TRunOutput, TPolicy>, TOutput>
  | DurableParentTaskOptions<
      DurableTaskOnChildrenCompleteInput<TInput, TRunOutput, TPolicy>,
      TFinalizeRunOutput,
      TOutput,
      unknown,
      TFinalizePolicy
    >

/**
 * What a finalize task is given.
 *
 * @category Task
 */
export type DurableTaskOnChildrenCompleteInput<
  TInput,
  TRunOutput,
  TPolicy extends DurableChildrenPolicy = 'fail_fast',
> = {
  /** The parent's input. */
  input: TInput
  /** What the parent's own function returned as `output`. */
  output: TRunOutput
  /** The children's outputs or, if the policy says so, how each of them ended, in the order in which they were returned. */
  childrenTasksOutputs: Array<DurableChildTaskOutcome<TPolicy>>
}

/** What there is of each child under the policy. */
type DurableChildTaskOutcome<TPolicy extends DurableChildrenPolicy> = TPolicy extends 'fail_fast'
  ? DurableChildTaskExecutionOutput
  : DurableChildTaskExecutionEnd

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

/**
 * How one child ended, where its parent goes on though some of them ended badly. Switch over its `status`.
 *
 * @category Task
 */
export type DurableChildTaskExecutionEnd<TOutput = unknown> =
  | (DurableChildTaskExecutionOutput<TOutput> & { status: typeof COMPLETED })
  | (Omit<DurableChildTaskExecutionOutput, 'output'> & ChildFailure)

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
  /** How many children may end badly before it does; undefined under the default policy, which knows of outputs alone. */
  toleratedFailures?: number
  /** A step of a sequence hands its child's output on as it is. */
  isSequenceStep: boolean
}
