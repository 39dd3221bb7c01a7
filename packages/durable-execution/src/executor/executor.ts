/** The public class: tasks are defined on it and enqueued through it, and once started it runs them. */

import { type StandardSchemaV1 } from '@standard-schema/spec'

import { DurableExecutionError } from '../base/errors.ts'
import { type DurableTaskInputWithOptions } from '../client/enqueue.ts'
import { createHandle, type DurableTaskHandle, readOrThrow } from '../client/handle.ts'
import { type DurableTaskRunOptions } from '../client/run-task.ts'
import { type DurableStorage } from '../storage/contract.ts'
import {
  type DurableChildrenPolicy,
  type DurableParentTaskDefaultOutput,
  type DurableParentTaskOptions,
  type DurableSettlingChildrenPolicy,
  type DurableSettlingParentTaskOptions,
  type DurableTask,
  type DurableTaskOptions,
} from '../task/define.ts'
import { type DurableTaskEnqueueOptions } from '../task/options.ts'
import { type AnyParentTaskOptions } from '../task/registry.ts'
import { validatorOf } from '../task/schema.ts'
import {
  defineSequence,
  type FirstInput,
  type LastOutput,
  type SequentialDurableTasks,
} from '../task/sequential.ts'
import { checkTask } from '../task/task-id.ts'
import { createBuilder, type DurableTaskBuilder } from './builder.ts'
import { Enqueuer } from './enqueuer.ts'
import { type DurableExecutorHealth } from './health.ts'
import { checkGrace, type DurableExecutorOptions, resolveExecutorOptions } from './options.ts'
import { prepareSignal } from './prepare-signal.ts'
import { Runtime } from './runtime.ts'

/**
 * Defines tasks, enqueues them and, once started, runs them. Any number of executors, in any number of
 * processes, may share one storage.
 *
 * @example
 * ```ts
 * import { createInMemoryStorage, DurableExecutor } from 'durable-execution'
 *
 * const executor = new DurableExecutor(createInMemoryStorage())
 * const greet = executor.task({
 *   id: 'greet',
 *   timeoutMs: 1000,
 *   run: (_ctx, name: string) => `Hello, ${name}!`,
 * })
 *
 * await executor.start()
 * const handle = await executor.enqueueTask(greet, 'Ada')
 * const execution = await handle.waitAndGetTaskFinishedExecution()
 * if (execution.status === 'completed') {
 *   console.log(execution.output)
 * }
 * await executor.shutdown()
 * ```
 *
 * @category Executor
 */
export class DurableExecutor {
  readonly #runtime: Runtime
  readonly #enqueuer: Enqueuer
  #shuttingDown: Promise<void> | undefined

  /**
   * @param storage - Where executions are kept.
   * @param options - See {@link DurableExecutorOptions}.
   * @throws A {@link DurableExecutionError}, not retryable, if an option is wrong.
   */
  constructor(storage: DurableStorage, options?: DurableExecutorOptions | null) {
    if (typeof (storage as DurableStorage | undefined)?.withTransaction !== 'function') {
      throw new DurableExecutionError(
        'DurableExecutor needs a storage, an object with withTransaction',
        false,
      )
    }
    this.#runtime = new Runtime(storage, resolveExecutorOptions(options))
    this.#enqueuer = new Enqueuer(this.#runtime)
  }

  /**
   * Defines a task.
   *
   * @throws A {@link DurableExecutionError}, not retryable, if an option is wrong or the id is taken.
   */
  task<TInput, TOutput>(options: DurableTaskOptions<TInput, TOutput>): DurableTask<TInput, TOutput> {
    this.#refuseAfterShutdown()
    return { id: this.#runtime.engine.registry.addTask(options).id }
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
    this.#refuseAfterShutdown()
    return { id: this.#runtime.engine.registry.addParentTask(options as AnyParentTaskOptions).id }
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
      this.#runtime.engine.registry,
      (input) => fn(input as TInput),
      () => this.#refuseAfterShutdown(),
    )
  }

  /**
   * Defines tasks whose input is checked by a schema when they are enqueued: one of zod, valibot,
   * arktype or any other library that follows Standard Schema.
   */
  inputSchema<TSchema extends StandardSchemaV1>(
    schema: TSchema,
  ): DurableTaskBuilder<StandardSchemaV1.InferOutput<TSchema>, StandardSchemaV1.InferInput<TSchema>> {
    return createBuilder(this.#runtime.engine.registry, validatorOf(schema), () =>
      this.#refuseAfterShutdown(),
    )
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
    this.#refuseAfterShutdown()
    return { id: defineSequence(this.#runtime.engine.registry, tasks).id }
  }

  /**
   * Enqueues a task: when this resolves, the execution is in the storage and will be run by some executor.
   *
   * @param task - The task, defined on this executor.
   * @param input - Its input; checked, if the task says how.
   * @param options - What is different for this execution.
   * @throws A {@link DurableExecutionError}, not retryable, if something about the call is wrong; the
   * storage's own error if it cannot be reached.
   */
  async enqueueTask<TInput, TOutput>(
    task: DurableTask<TInput, TOutput>,
    input: TInput,
    options?: DurableTaskEnqueueOptions | null,
  ): Promise<DurableTaskHandle<TOutput>> {
    this.#refuseAfterShutdown()
    checkTask(task)
    return await this.#enqueuer.enqueue<TOutput>(task.id, input, options)
  }

  /**
   * Enqueues many executions of one task in one transaction: when this resolves all of them are in the
   * storage, and when it rejects none is. Several times as fast as many calls of `enqueueTask`.
   *
   * @example
   * ```ts
   * import { createInMemoryStorage, DurableExecutor } from 'durable-execution'
   *
   * const executor = new DurableExecutor(createInMemoryStorage())
   * const greet = executor.task({ id: 'greet', timeoutMs: 1000, run: (_ctx, name: string) => `Hello, ${name}!` })
   *
   * await executor.enqueueTasks(greet, ['Ada', 'Grace'])
   * // One of them only in a minute.
   * await executor.enqueueTasks(greet, ['Ada', { input: 'Grace', options: { sleepMsBeforeRun: 60_000 } }])
   * ```
   *
   * @param task - The task, defined on this executor.
   * @param inputs - At most 100,000 inputs, or inputs with options of their own. An object with exactly the
   * keys `input` and `options` is read as the latter: an input of that shape must be given so itself.
   * @param options - What is different for all of these executions.
   * @returns A handle for each input, in the same order.
   * @throws A {@link DurableExecutionError}, not retryable, if something about the call or one of the inputs
   * is wrong; the storage's own error if it cannot be reached.
   */
  async enqueueTasks<TInput, TOutput>(
    task: DurableTask<TInput, TOutput>,
    inputs: ReadonlyArray<NoInfer<TInput> | DurableTaskInputWithOptions<NoInfer<TInput>>>,
    options?: DurableTaskEnqueueOptions | null,
  ): Promise<Array<DurableTaskHandle<TOutput>>> {
    this.#refuseAfterShutdown()
    checkTask(task)
    return await this.#enqueuer.enqueueAll<TOutput>(task.id, inputs, options)
  }

  /**
   * Enqueues a task, waits until the execution is finished, wherever it runs, and gives its output.
   *
   * @param options - What is different for this execution, and a `signal` that ends the wait.
   * @throws However the execution ended, if not well: a {@link DurableExecutionError} with its message, a
   * `DurableExecutionTimedOutError` or a `DurableExecutionCancelledError`, not retryable, with the id in
   * `error.execution`. If a child failed the message names the first one. Else what `enqueueTask` throws.
   */
  async runTask<TInput, TOutput>(
    task: DurableTask<TInput, TOutput>,
    input: TInput,
    options?: DurableTaskRunOptions | null,
  ): Promise<TOutput> {
    this.#refuseAfterShutdown()
    checkTask(task)
    return await this.#enqueuer.run<TOutput>(task.id, input, options)
  }

  /**
   * A handle of an execution that was enqueued before, here or elsewhere.
   *
   * @throws A {@link DurableExecutionError}, not retryable, if the task is not defined here, or the
   * execution does not exist or is of another task.
   */
  async getTaskHandle<TInput, TOutput>(
    task: DurableTask<TInput, TOutput>,
    executionId: string,
  ): Promise<DurableTaskHandle<TOutput>> {
    checkTask(task)
    this.#runtime.engine.registry.getOrThrow(task.id)
    await readOrThrow(task.id, executionId, this.#runtime.handleDoors)
    return createHandle<TOutput>(task.id, executionId, this.#runtime.handleDoors)
  }

  /**
   * Sends a signal to an execution, which gets it by `ctx.waitForSignal`: now if it waits, else when it comes to that. Signals of one
   * name are a queue. When this resolves, the signal is in the storage.
   *
   * @param executionId - The id of the execution; `handle.getTaskExecutionId()` gives it.
   * @param name - The name that the code waits for: 1 to 255 characters.
   * @param payload - What `ctx.waitForSignal` gives; any value that the serializer can keep.
   * @param options - `idempotencyKey`: of signals of one name to one execution with the same key only the first counts.
   * @throws A {@link DurableExecutionError}, not retryable: `Execution X not found`, `Execution X has finished (status)`; the
   * storage's own error if it cannot be reached.
   */
  async signal(
    executionId: string,
    name: string,
    payload?: unknown,
    options?: { idempotencyKey?: string | null | undefined } | null,
  ): Promise<void> {
    this.#refuseAfterShutdown()
    await this.#runtime.signal(prepareSignal(executionId, name, payload, options, this.#runtime.engine))
  }

  /**
   * The executions whose function was called here and has not ended: cancelled ones too, abandoned
   * ones not.
   */
  getRunningTaskExecutionIds(): ReadonlySet<string> {
    return this.#runtime.worker.runningIds()
  }

  /** Whether all is well with the storage and the background loops. For probes; never waits. */
  health(): DurableExecutorHealth {
    return this.#runtime.health()
  }

  /**
   * Begins to run tasks, and keeps the process alive until `shutdown`. Resolves as soon as the executor
   * runs; a second call changes nothing.
   */
  async start(): Promise<void> {
    this.#refuseAfterShutdown()
    await this.#runtime.prepareToStart()
    this.#refuseAfterShutdown()
    this.#runtime.start()
  }

  /**
   * Takes nothing new, waits for what runs, and stops. Running tasks are told by `ctx.shutdownSignal`.
   *
   * @param options - `graceMs`: how long to wait; after that what still runs is told to stop by
   * `ctx.cancelSignal`, and a second later given back to be run by others. Without it there is no limit.
   */
  async shutdown(options?: { graceMs?: number | null | undefined } | null): Promise<void> {
    const graceMs = checkGrace(options?.graceMs)
    this.#shuttingDown ??= this.#runtime.stop(graceMs)
    await this.#shuttingDown
  }

  #refuseAfterShutdown(): void {
    if (this.#shuttingDown !== undefined) {
      throw new DurableExecutionError('Executor shutdown', false)
    }
  }
}
