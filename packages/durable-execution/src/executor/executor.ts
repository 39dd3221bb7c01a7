/** The public class: tasks are defined on it and enqueued through it, and once started it runs them. */

import { DurableExecutionError } from '../base/errors.ts'
import { type DurableTaskInputWithOptions } from '../client/enqueue.ts'
import { createHandle, type DurableTaskHandle, readOrThrow } from '../client/handle.ts'
import { type DurableTaskRunOptions } from '../client/run-task.ts'
import { type DurableStorage } from '../storage/contract.ts'
import { type DurableTask } from '../task/define.ts'
import { type DurableTaskEnqueueOptions } from '../task/options.ts'
import { checkTask } from '../task/task-id.ts'
import { DurableTaskDefiner } from './definer.ts'
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
export class DurableExecutor extends DurableTaskDefiner {
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
    const runtime = new Runtime(storage, resolveExecutorOptions(options))
    super(runtime.engine.registry)
    this.#runtime = runtime
    this.#enqueuer = new Enqueuer(this.#runtime)
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
    this.refuseAfterShutdown()
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
    this.refuseAfterShutdown()
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
    this.refuseAfterShutdown()
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
    this.refuseAfterShutdown()
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
    this.refuseAfterShutdown()
    await this.#runtime.prepareToStart()
    this.refuseAfterShutdown()
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

  protected refuseAfterShutdown(): void {
    if (this.#shuttingDown !== undefined) {
      throw new DurableExecutionError('Executor shutdown', false)
    }
  }
}
