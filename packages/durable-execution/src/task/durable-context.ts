/** The calls by which a task's function remembers what it did, and waits. */

import { type StandardSchemaV1 } from '@standard-schema/spec'

import { type CancelSignal } from '../base/cancel.ts'
import { type MaybePromise } from '../base/promise.ts'
import { type DurableTaskRetryOptions } from '../machine/execution.ts'
import { type DurableChildTask, type DurableTask } from './define.ts'
import { type DurableTaskEnqueueOptions } from './options.ts'

/**
 * What the function of a step is given.
 *
 * @category Durable code
 */
export type DurableStepContext = {
  /** Which try of the step this is: 0 is the first, 1 the first retry. */
  attempt: number
  /** The same for every try of this step, in every run of the execution, and no other step's: for services that keep such keys. */
  idempotencyKey: string
  /** Fires when the run should stop: cancelled, timed out, or its lease lost. */
  cancelSignal: CancelSignal
  /** Aborted when `cancelSignal` fires, and when the try takes longer than its `timeoutMs`. */
  readonly abortSignal: AbortSignal
}

/**
 * Options of a step.
 *
 * @category Durable code
 */
export type DurableStepOptions = {
  /**
   * When and how often a failed try is repeated; default: never, and 10 times within some 7 minutes for `ctx.compensate`. Between tries with
   * a pause the execution holds no slot.
   */
  retryOptions?: DurableTaskRetryOptions | null | undefined
  /** How long one try may take, in milliseconds: an integer, 1 or more; default: as long as the run. */
  timeoutMs?: number | null | undefined
}

/**
 * Options of a wait for a signal.
 *
 * @category Durable code
 */
export type DurableWaitForSignalOptions<TSchema extends StandardSchemaV1 = StandardSchemaV1> = {
  /** How long to wait, in milliseconds, counted from the first time that the code came here; default: for ever. */
  timeoutMs?: number | null | undefined
  /** What the payload must be: a schema of zod, valibot, arktype or any library that follows Standard Schema. */
  schema?: TSchema | null | undefined
}

/**
 * Options of a child that is awaited in code.
 *
 * @category Durable code
 */
export type DurableRunTaskOptions = Omit<DurableTaskEnqueueOptions, 'idempotencyKey' | 'transaction'> & {
  /** What it is remembered by; default: the id of its task. */
  name?: string | null | undefined
}

/** The outputs of a list of children. */
type OutputsOf<T extends ReadonlyArray<DurableChildTask>> = {
  -readonly [Index in keyof T]: T[Index] extends DurableChildTask<infer _TInput, infer TOutput>
    ? TOutput
    : never
}

/**
 * What a task's function can do beside computing: remember, wait, and run other tasks. What is remembered under a name is
 * found under it again when the function runs again, after a crash, a wait or a failed attempt; the code between such calls
 * runs again. The same name may be used many times: its first call finds what its first call remembered, and so on.
 *
 * @category Durable code
 */
export type DurableCode = {
  /**
   * Does something once, and remembers what it came to. After a crash between the two it is done again, so it should be
   * idempotent; `step.idempotencyKey` helps. A step that fails rejects, and a new attempt of the execution tries it again.
   *
   * @param name - What it is remembered by: 1 to 255 characters.
   * @param fn - What it does; its result must be one that the serializer can keep. It makes no calls of `ctx`: they are refused there.
   */
  step: <T>(
    name: string,
    fn: (step: DurableStepContext) => MaybePromise<T>,
    options?: DurableStepOptions | null,
  ) => Promise<T>
  /**
   * A step whose writes to your own database and whose result are committed together: both are there, or neither, whatever
   * happens to the process. So its writes are made exactly once. Only on a storage that shares your database, SQLite or Postgres;
   * on others it rejects.
   *
   * @param name - What it is remembered by, like the name of a step; a step may become a transaction, and back.
   * @param fn - Writes through `tx`, whose type you say: on Postgres a `PostgresTransactionClient`, on SQLite the handle of the library that the storage
   * works with. The transaction is begun before it and committed after it; what it throws undoes all. It may be called again before
   * anything is committed, so it should do nothing that `tx` does not undo, and it should be quick.
   *
   * @example
   * ```ts
   * import { DatabaseSync } from 'node:sqlite'
   *
   * import { DurableExecutor } from 'durable-execution'
   * import { createSqliteStorage } from 'durable-execution/sqlite'
   *
   * const storage = createSqliteStorage({ path: 'app.db' })
   * const executor = new DurableExecutor(storage)
   * const order = executor.task({
   *   id: 'order',
   *   timeoutMs: 60_000,
   *   run: async (ctx, item: string) =>
   *     await ctx.transaction('book', (tx: DatabaseSync) => {
   *       tx.exec('create table if not exists orders (id integer primary key, item text)')
   *       return Number(tx.prepare('insert into orders (item) values (?)').run(item).lastInsertRowid)
   *     }),
   * })
   * ```
   */
  // Said by the annotation of `tx`, and nowhere else.
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters
  transaction: <T, TTransaction extends object = object>(
    name: string,
    fn: (tx: TTransaction, step: DurableStepContext) => MaybePromise<T>,
    options?: DurableStepOptions | null,
  ) => Promise<T>
  /**
   * Pauses for so many milliseconds, or until that moment. It survives whatever happens to the process, and beyond a second
   * holds no slot and no memory.
   */
  sleep: (name: string, msOrDate: number | Date) => Promise<void>
  /**
   * Waits for the next signal of that name, sent before or after by `executor.signal`.
   *
   * @returns Its payload.
   * @throws A `DurableExecutionTimedOutError` when `timeoutMs` is over.
   */
  waitForSignal: {
    <TSchema extends StandardSchemaV1>(
      name: string,
      options: DurableWaitForSignalOptions<TSchema> & { schema: TSchema },
    ): Promise<StandardSchemaV1.InferOutput<TSchema>>
    <T = unknown>(name: string, options?: DurableWaitForSignalOptions | null): Promise<T>
  }
  /**
   * Runs another task as a child, and waits for its output; meanwhile this execution holds no slot.
   *
   * @throws The error of the child if it ends badly; its `execution` says which one it was.
   */
  runTask: <TInput, TOutput>(
    task: DurableTask<TInput, TOutput>,
    input: NoInfer<TInput>,
    options?: DurableRunTaskOptions | null,
  ) => Promise<TOutput>
  /** Runs many children at once, and waits for the outputs of all. */
  runTasks: <const T extends ReadonlyArray<DurableChildTask>>(children: T) => Promise<OutputsOf<T>>
  /**
   * Says how something is undone. If the execution ends badly (failed, timed out, cancelled), an execution of its own undoes what was
   * registered, the last first, each as a step that is tried again for several minutes: it runs the function of the task once more over what
   * is remembered, as far as that goes, to find out how. Register before the step that is to be undone; what undoes it must
   * bear that it was not done.
   */
  compensate: (
    name: string,
    fn: (step: DurableStepContext) => MaybePromise<unknown>,
    options?: DurableStepOptions | null,
  ) => Promise<void>
  /** Says how far it has come; `handle.getState()` tells it to whoever asks. */
  setState: (state: unknown) => Promise<void>
}

/** The names of the calls. */
export const DURABLE_CALLS = [
  'step',
  'transaction',
  'sleep',
  'waitForSignal',
  'runTask',
  'runTasks',
  'compensate',
  'setState',
] as const
