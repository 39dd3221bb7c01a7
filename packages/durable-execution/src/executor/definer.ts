/** Defining tasks: the half of an executor that needs no storage. */

import { type StandardSchemaV1 } from '@standard-schema/spec'

import { DurableExecutionError } from '../base/errors.ts'
import {
  type DurableChildrenPolicy,
  type DurableParentTaskDefaultOutput,
  type DurableParentTaskOptions,
  type DurableSettlingChildrenPolicy,
  type DurableSettlingParentTaskOptions,
  type DurableTask,
  type DurableTaskOptions,
} from '../task/define.ts'
import { type AnyParentTaskOptions, type TaskRegistry } from '../task/registry.ts'
import { validatorOf } from '../task/schema.ts'
import {
  defineSequence,
  type FirstInput,
  type LastOutput,
  type SequentialDurableTasks,
} from '../task/sequential.ts'
import { createBuilder, type DurableTaskBuilder } from './builder.ts'

/**
 * What an executor offers to define tasks with.
 *
 * @category Executor
 */
export abstract class DurableTaskDefiner {
  readonly #registry: TaskRegistry

  constructor(registry: TaskRegistry) {
    this.#registry = registry
  }

  /** Throws once no task may be defined any more. */
  protected abstract refuseAfterShutdown(): void

  /**
   * Defines a task.
   *
   * @throws A {@link DurableExecutionError}, not retryable, if an option is wrong or the id is taken.
   */
  task<TInput, TOutput>(options: DurableTaskOptions<TInput, TOutput>): DurableTask<TInput, TOutput> {
    this.refuseAfterShutdown()
    return { id: this.#registry.addTask(options).id }
  }

  /**
   * Defines a parent task: its function says which children are to run, and when all of them are
   * completed its finalize task makes the output. Without a finalize task the output is
   * `{ output, childrenTasksOutputs }`.
   *
   * @throws A {@link DurableExecutionError}, not retryable, if an option is wrong or an id is taken.
   */
  parentTask<
    TInput,
    TRunOutput,
    TOutput = DurableParentTaskDefaultOutput<TRunOutput>,
    TFinalizeRunOutput = unknown,
    TFinalizePolicy extends DurableChildrenPolicy = 'fail_fast',
  >(
    options: DurableParentTaskOptions<
      TInput,
      TRunOutput,
      TOutput,
      TFinalizeRunOutput,
      'fail_fast',
      TFinalizePolicy
    >,
  ): DurableTask<TInput, TOutput>
  /**
   * The same for a parent that goes on though some of its children end badly: `childrenPolicy` says how many may. Its
   * finalize task, or without one its output, is told how each child ended.
   */
  parentTask<
    TInput,
    TRunOutput,
    TOutput = DurableParentTaskDefaultOutput<TRunOutput, DurableSettlingChildrenPolicy>,
    TFinalizeRunOutput = unknown,
    TFinalizePolicy extends DurableChildrenPolicy = 'fail_fast',
  >(
    options: DurableSettlingParentTaskOptions<
      TInput,
      TRunOutput,
      TOutput,
      TFinalizeRunOutput,
      TFinalizePolicy
    >,
  ): DurableTask<TInput, TOutput>
  parentTask(options: object): DurableTask<unknown, unknown> {
    this.refuseAfterShutdown()
    return { id: this.#registry.addParentTask(options as AnyParentTaskOptions).id }
  }

  /**
   * Defines tasks whose input is checked by a function when they are enqueued. What it returns is
   * stored and run; what it throws becomes `Invalid input to task X: …`.
   */
  validateInput<TRunInput, TInput>(
    fn: (input: TInput) => TRunInput | Promise<TRunInput>,
  ): DurableTaskBuilder<TRunInput, TInput> {
    if (typeof fn !== 'function') {
      throw new DurableExecutionError('validateInput needs a function', false)
    }
    return createBuilder(
      this.#registry,
      (input) => fn(input as TInput),
      () => this.refuseAfterShutdown(),
    )
  }

  /**
   * Defines tasks whose input is checked by a schema when they are enqueued: one of zod, valibot,
   * arktype or any other library that follows Standard Schema.
   */
  inputSchema<TSchema extends StandardSchemaV1>(
    schema: TSchema,
  ): DurableTaskBuilder<StandardSchemaV1.InferOutput<TSchema>, StandardSchemaV1.InferInput<TSchema>> {
    return createBuilder(this.#registry, validatorOf(schema), () => this.refuseAfterShutdown())
  }

  /**
   * Makes one task of several that run one after another, each with the output of the one before.
   * The same list makes the same task, in every process.
   *
   * @throws A {@link DurableExecutionError}, not retryable: `No tasks provided`.
   */
  sequentialTasks<const T extends ReadonlyArray<DurableTask<unknown, unknown>>>(
    ...tasks: T & SequentialDurableTasks<T>
  ): DurableTask<FirstInput<T>, LastOutput<T>> {
    this.refuseAfterShutdown()
    return { id: defineSequence(this.#registry, tasks).id }
  }
}
