/** The public class: tasks are defined on it and enqueued through it, and once started it runs them. */

import { type StandardSchemaV1 } from '@standard-schema/spec'

import { createReasonedCancelSignal } from '../base/cancel.ts'
import { endsWithin } from '../base/clock.ts'
import { DurableExecutionError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { ChangeFeed } from '../client/change-feed.ts'
import { prepareExecution } from '../client/enqueue.ts'
import { createHandle, type DurableTaskHandle, type HandleDoors, readOrThrow } from '../client/handle.ts'
import { RowReader } from '../client/reader.ts'
import { Waiters } from '../client/waiters.ts'
import { type ParentPlan } from '../machine/parent.ts'
import { type DurableStorage, type DurableStorageChangeHint } from '../storage/contract.ts'
import { cancelByUser } from '../store/cancel.ts'
import { type Effects } from '../store/effects.ts'
import { Inserter } from '../store/insert.ts'
import { createTransact, withUserTries } from '../store/transact.ts'
import {
  type DurableChildTaskExecutionOutput,
  type DurableParentTaskOptions,
  type DurableTask,
  type DurableTaskOptions,
} from '../task/define.ts'
import { type DurableTaskEnqueueOptions } from '../task/options.ts'
import { planOf } from '../task/plan.ts'
import { TaskRegistry } from '../task/registry.ts'
import { validatorOf } from '../task/schema.ts'
import {
  defineSequence,
  type FirstInput,
  type LastOutput,
  type SequentialDurableTasks,
} from '../task/sequential.ts'
import { Closer } from './closer.ts'
import { type Engine } from './engine.ts'
import { Health, type DurableExecutorHealth } from './health.ts'
import { type DurableExecutorOptions, resolveExecutorOptions } from './options.ts'
import { StorageClock } from './storage-clock.ts'
import { Worker } from './worker.ts'

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
 * What `validateInput` and `inputSchema` return: `task` and `parentTask` for tasks whose input is checked.
 *
 * @category Task
 */
export type DurableTaskBuilder<TRunInput, TInput> = {
  task: <TOutput>(options: DurableTaskOptions<TRunInput, TOutput>) => DurableTask<TInput, TOutput>
  parentTask: <
    TRunOutput,
    TOutput = DurableParentTaskDefaultOutput<TRunOutput>,
    TFinalizeRunOutput = unknown,
  >(
    options: DurableParentTaskOptions<TRunInput, TRunOutput, TOutput, TFinalizeRunOutput>,
  ) => DurableTask<TInput, TOutput>
}

type AnyParentTaskOptions = DurableParentTaskOptions<never, unknown, unknown, unknown>

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
  readonly #engine: Engine
  readonly #health: Health
  readonly #clock: StorageClock
  readonly #closer: Closer
  readonly #inserter: Inserter
  readonly #handleDoors: HandleDoors
  readonly #feed: ChangeFeed
  readonly #worker: Worker
  readonly #storage: DurableStorage
  readonly #cancelRuns: () => void
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
    const resolved = resolveExecutorOptions(options)
    const { doors, logger, serializer } = resolved
    this.#storage = storage
    this.#health = new Health(doors.clock)
    this.#clock = new StorageClock(storage, doors.clock)
    const registry = new TaskRegistry()
    const transact = createTransact(storage, doors.clock, this.#health)
    this.#engine = {
      executorId: doors.ids.newId(),
      options: resolved,
      doors,
      logger,
      serializer,
      registry,
      transact,
      store: {
        now: () => this.#clock.now(),
        newExecutionId: doors.ids.newExecutionId,
        newLeaseId: doors.ids.newId,
        planOf: createPlans(registry, resolved.serializer),
      },
      tell: (effects) => this.#tell(effects),
    }
    this.#closer = new Closer(this.#engine)
    this.#inserter = new Inserter(transact, doors)
    const waiters = new Waiters(doors.clock, (count) => this.#feed.want('waiters', count > 0))
    this.#handleDoors = {
      reader: new RowReader(transact, doors),
      waiters,
      serializer,
      cancel: (executionId) => this.#cancel(executionId),
    }
    this.#feed = new ChangeFeed(storage, logger, ({ executionIds }) => {
      if (executionIds === undefined) {
        waiters.toldAll()
      } else {
        waiters.told(executionIds)
      }
      this.#worker.hinted()
    })
    const [shutdownSignal, cancelRuns] = createReasonedCancelSignal({ logger })
    this.#cancelRuns = cancelRuns
    this.#worker = new Worker(this.#engine, storage, this.#closer, this.#health, shutdownSignal)
  }

  /**
   * Defines a task.
   *
   * @throws A {@link DurableExecutionError}, not retryable, if an option is wrong or the id is taken.
   */
  task<TInput, TOutput>(options: DurableTaskOptions<TInput, TOutput>): DurableTask<TInput, TOutput> {
    this.#refuseAfterShutdown()
    return { id: this.#engine.registry.addTask(options).id }
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
  >(
    options: DurableParentTaskOptions<TInput, TRunOutput, TOutput, TFinalizeRunOutput>,
  ): DurableTask<TInput, TOutput> {
    this.#refuseAfterShutdown()
    return { id: this.#engine.registry.addParentTask(options as unknown as AnyParentTaskOptions).id }
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
    return this.#builder((input) => fn(input as TInput))
  }

  /**
   * Defines tasks whose input is checked by a schema when they are enqueued: one of zod, valibot,
   * arktype or any other library that follows Standard Schema.
   */
  inputSchema<TSchema extends StandardSchemaV1>(
    schema: TSchema,
  ): DurableTaskBuilder<StandardSchemaV1.InferOutput<TSchema>, StandardSchemaV1.InferInput<TSchema>> {
    return this.#builder(validatorOf(schema))
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
    return { id: defineSequence(this.#engine.registry, tasks).id }
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
    const { registry, serializer, store, options: own } = this.#engine
    if (this.#clock.isUnknown) {
      await this.#readClock()
    }
    const row = await prepareExecution(task.id, input, options, {
      registry,
      serializer,
      maxPayloadBytes: own.maxPayloadBytes,
      now: store.now,
      newExecutionId: store.newExecutionId,
    })
    await this.#inserter.insert(row)
    this.#tell({ finishedIds: [], readyAtMs: row.startAt.getTime(), open: [], cancelledRunningIds: [] })
    return createHandle<TOutput>(row.taskId, row.executionId, this.#handleDoors)
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
    this.#engine.registry.getOrThrow(task.id)
    await readOrThrow(task.id, executionId, this.#handleDoors)
    return createHandle<TOutput>(task.id, executionId, this.#handleDoors)
  }

  /**
   * The executions whose function was called here and has not ended: cancelled ones too, abandoned
   * ones not.
   */
  getRunningTaskExecutionIds(): ReadonlySet<string> {
    return this.#worker.runningIds()
  }

  /** Whether all is well with the storage and the background loops. For probes; never waits. */
  health(): DurableExecutorHealth {
    const { pollMs, expireMs } = this.#engine.options
    return this.#health.report({
      loops: this.#worker.loops(),
      pollMs,
      expireMs,
      clockOffsetMs: this.#clock.offsetMs,
      stuck: this.#worker.stuck(),
    })
  }

  /**
   * Begins to run tasks, and keeps the process alive until `shutdown`. Resolves as soon as the executor
   * runs; a second call changes nothing.
   */
  async start(): Promise<void> {
    this.#refuseAfterShutdown()
    await this.#clock.refresh().catch((error: unknown) => {
      this.#engine.logger.error("The storage's clock could not be read yet", error)
    })
    this.#refuseAfterShutdown()
    this.#worker.start(async () => {
      this.#feed.retry()
      await this.#clock.refresh()
    })
    this.#feed.want('worker', true)
  }

  /**
   * Takes nothing new, waits for what runs, and stops. Running tasks are told by `ctx.shutdownSignal`.
   *
   * @param options - `graceMs`: how long to wait; after that what still runs is told to stop by
   * `ctx.cancelSignal`, and a second later given back to be run by others. Without it there is no limit.
   */
  async shutdown(options?: { graceMs?: number | null | undefined } | null): Promise<void> {
    const graceMs = checkGrace(options?.graceMs)
    this.#shuttingDown ??= this.#shutdown(graceMs)
    await this.#shuttingDown
  }

  async #shutdown(graceMs: number): Promise<void> {
    this.#cancelRuns()
    await this.#worker.stop(graceMs)
    this.#feed.want('worker', false)
    await endsWithin(this.#engine.doors.clock, this.#feed.settled(), LIMITS.unlistenMs)
  }

  /** A client's clock may be wrong by hours, and what it enqueues is due by the storage's. */
  async #readClock(): Promise<void> {
    const { clock, random } = this.#engine.doors
    await withUserTries(async () => await this.#clock.refresh(), clock, random)
  }

  async #cancel(executionId: string): Promise<boolean> {
    const { transact, store, doors } = this.#engine
    if (this.#clock.isUnknown) {
      await this.#readClock()
    }
    const triedAt = new Set<number>()
    const { cancelledIds, effects } = await withUserTries(
      async () => await cancelByUser(transact, executionId, store, triedAt),
      doors.clock,
      doors.random,
    )
    this.#tell(effects)
    if (!this.#worker.isStarted || this.#shuttingDown !== undefined) {
      // Nobody may be there to close it, and this process may end any moment.
      await this.#closer.drained()
    }
    return cancelledIds.length > 0
  }

  #tell(effects: Effects): void {
    this.#handleDoors.waiters.told(effects.finishedIds)
    this.#worker.told(effects)
    if (effects.open.length > 0) {
      this.#closer.add(effects.open)
    }
    this.#notifyOthers(effects)
  }

  #notifyOthers({ readyAtMs, finishedIds }: Effects): void {
    if (this.#storage.notifyChange === undefined) {
      return
    }
    if (readyAtMs !== undefined || finishedIds.length > 0) {
      const ready = readyAtMs !== undefined
      // A list that leaves some out would say that those have not changed.
      void this.#sendHint(
        finishedIds.length > LIMITS.idsPerCall ? { ready } : { ready, executionIds: finishedIds },
      )
    }
  }

  async #sendHint(hint: DurableStorageChangeHint): Promise<void> {
    try {
      await this.#storage.notifyChange?.(hint)
    } catch (error) {
      this.#engine.logger.debug('A hint to others was lost', error)
    }
  }

  #builder<TRunInput, TInput>(
    validate: (input: unknown) => TRunInput | Promise<TRunInput>,
  ): DurableTaskBuilder<TRunInput, TInput> {
    const { registry } = this.#engine
    return {
      task: (options) => {
        this.#refuseAfterShutdown()
        return { id: registry.addTask(options, validate).id }
      },
      parentTask: (options) => {
        this.#refuseAfterShutdown()
        return { id: registry.addParentTask(options as unknown as AnyParentTaskOptions, validate).id }
      },
    }
  }

  #refuseAfterShutdown(): void {
    if (this.#shuttingDown !== undefined) {
      throw new DurableExecutionError('Executor shutdown', false)
    }
  }
}

/** Plans of parents, made once for each task. */
function createPlans(
  registry: TaskRegistry,
  serializer: Engine['serializer'],
): (taskId: string) => ParentPlan | undefined {
  const plans = new Map<string, ParentPlan>()
  return (taskId) => {
    const known = plans.get(taskId)
    if (known !== undefined) {
      return known
    }
    const definition = registry.get(taskId)
    if (definition === undefined) {
      return undefined
    }
    const plan = planOf(definition, serializer)
    plans.set(taskId, plan)
    return plan
  }
}

function checkGrace(graceMs: unknown): number {
  if (graceMs === undefined || graceMs === null) {
    return Infinity
  }
  if (typeof graceMs !== 'number' || !Number.isFinite(graceMs)) {
    throw new DurableExecutionError('Invalid graceMs: must be a finite number', false)
  }
  return Math.max(0, graceMs)
}
