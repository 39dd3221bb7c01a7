/** What a user holds of one execution. */

import { type CancelSignal, createCancellablePromise, toCancelSignal } from '../base/cancel.ts'
import { DurableExecutionCancelledError, DurableExecutionError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { type Serializer } from '../base/serializer.ts'
import { type ExecutionRow } from '../machine/execution.ts'
import { assertKnownStatus } from '../machine/damage.ts'
import { isFinishedStatus } from '../machine/status.ts'
import { shown } from '../task/options.ts'
import { type RowReader } from './reader.ts'
import {
  convertTaskExecutionStorageObjectToTaskExecution,
  type DurableTaskExecution,
  type DurableTaskFinishedExecution,
} from './view.ts'
import { idPrefix, isRecord, stateId } from '../machine/records.ts'
import { type Waiters } from './waiters.ts'

/**
 * A handle of an execution: to look at it, to wait for it, to cancel it. Handles go on working after
 * the executor has shut down.
 *
 * @category Executor
 */
export type DurableTaskHandle<TOutput> = {
  /** The id of the task. */
  getTaskId: () => string
  /** The id of the execution. Keep it to make a handle again, here or elsewhere, with `executor.getTaskHandle`. */
  getTaskExecutionId: () => string
  /** The execution as it is now. What there is to know of it depends on its `status`. */
  getTaskExecution: () => Promise<DurableTaskExecution<TOutput>>
  /**
   * Waits until the execution is finished, however long that takes. Resolves for every final status: look at
   * `status` before you read `output`, since an execution that failed does not reject.
   *
   * @param options - `signal` ends the wait with a `DurableExecutionCancelledError`; the execution
   * goes on. `pollingIntervalMs` is how often to look when nobody tells: default 1,000, also for 0 and less.
   */
  waitAndGetTaskFinishedExecution: (
    options?: {
      signal?: CancelSignal | AbortSignal | null | undefined
      pollingIntervalMs?: number | null | undefined
    } | null,
  ) => Promise<DurableTaskFinishedExecution<TOutput>>
  /** What the function said last by `ctx.setState`; undefined if it has said nothing. */
  getState: <TState = unknown>() => Promise<TState | undefined>
  /**
   * Cancels the execution and all below it. A finished one is left alone. The function, if it is running, is
   * told by `ctx.cancelSignal`, wherever it runs.
   *
   * @returns Whether this call cancelled it: false if it had ended before.
   */
  cancel: () => Promise<boolean>
}

/** What handles need. */
export type HandleDoors = {
  reader: RowReader
  waiters: Waiters
  /** Whether this process runs the execution, and so will tell the waiters of its end. */
  isRunHere: (executionId: string) => boolean
  serializer: Serializer
  cancel: (executionId: string) => Promise<boolean>
}

export function createHandle<TOutput>(
  taskId: string,
  executionId: string,
  doors: HandleDoors,
): DurableTaskHandle<TOutput> {
  return new Handle(taskId, executionId, doors)
}

/** Its functions are made when they are asked for: most handles of many enqueued at once are never looked at. */
class Handle<TOutput> implements DurableTaskHandle<TOutput> {
  readonly #taskId: string
  readonly #executionId: string
  readonly #doors: HandleDoors

  constructor(taskId: string, executionId: string, doors: HandleDoors) {
    this.#taskId = taskId
    this.#executionId = executionId
    this.#doors = doors
  }

  get getTaskId(): DurableTaskHandle<TOutput>['getTaskId'] {
    return () => this.#taskId
  }

  get getTaskExecutionId(): DurableTaskHandle<TOutput>['getTaskExecutionId'] {
    return () => this.#executionId
  }

  get getTaskExecution(): DurableTaskHandle<TOutput>['getTaskExecution'] {
    return async () => toView(await this.#read(), this.#doors)
  }

  get waitAndGetTaskFinishedExecution(): DurableTaskHandle<TOutput>['waitAndGetTaskFinishedExecution'] {
    return async (options) => {
      const { signal, pollingIntervalMs } = options ?? {}
      const cancelSignal = resolveSignal(signal)
      const intervalMs = resolvePollMs(pollingIntervalMs)
      const row = await waitUntilFinished(
        this.#taskId,
        this.#executionId,
        this.#doors,
        cancelSignal,
        intervalMs,
      )
      return toView<TOutput>(row, this.#doors) as DurableTaskFinishedExecution<TOutput>
    }
  }

  get getState(): DurableTaskHandle<TOutput>['getState'] {
    return async <TState>() => {
      const row = await this.#doors.reader.read(stateId(idPrefix(this.#executionId)))
      if (row === undefined) {
        // There is no state of what is not there.
        await this.#read()
      }
      return row === undefined ? undefined : this.#doors.serializer.deserialize<TState>(row.output ?? '')
    }
  }

  get cancel(): DurableTaskHandle<TOutput>['cancel'] {
    return async () => {
      const isCancelled = await this.#doors.cancel(this.#executionId)
      if (!isCancelled) {
        await this.#read()
      }
      return isCancelled
    }
  }

  #read(): Promise<ExecutionRow> {
    return readOrThrow(this.#taskId, this.#executionId, this.#doors)
  }
}

/** The row of the execution, if it is there and of that task. */
export async function readOrThrow(
  taskId: string,
  executionId: string,
  { reader }: Pick<HandleDoors, 'reader'>,
): Promise<ExecutionRow> {
  // Read together with those that others asked for, who would be told that the storage failed.
  if (typeof executionId !== 'string') {
    throw new DurableExecutionError(`Invalid execution id: must be a text, got ${shown(executionId)}`, false)
  }
  const row = await reader.read(executionId)
  if (row === undefined || isRecord(row)) {
    throw new DurableExecutionError(`Execution ${executionId} not found`, false)
  }
  if (row.taskId !== taskId) {
    throw new DurableExecutionError(`Execution ${executionId} is of task ${row.taskId}, not ${taskId}`, false)
  }
  return row
}

/** The row of the execution, once that is finished. */
export async function waitUntilFinished(
  taskId: string,
  executionId: string,
  doors: HandleDoors,
  signal: CancelSignal | undefined,
  intervalMs: number,
): Promise<ExecutionRow> {
  if (signal?.isCancelled() === true) {
    throw new DurableExecutionCancelledError()
  }
  // Listening begins before the first look, so that an end between the two is not missed.
  const listening = doors.waiters.listen(executionId, signal)
  // A storage that does not answer must not keep a wait from being given up.
  const read = async (): Promise<ExecutionRow> =>
    await createCancellablePromise(readOrThrow(taskId, executionId, doors), signal)
  const isActive = async (): Promise<boolean> =>
    await createCancellablePromise(doors.reader.isActive(executionId), signal)
  try {
    // What runs here has not ended, and a look would only take time from it.
    let row = doors.isRunHere(executionId) ? undefined : await read()
    while (row === undefined || !isFinishedStatus(row.status)) {
      if (row !== undefined) {
        // It would never be finished.
        assertKnownStatus(row)
      }
      const told = signal?.isCancelled() === true ? undefined : await listening.next(intervalMs)
      if (signal?.isCancelled() === true) {
        throw new DurableExecutionCancelledError()
      }
      if (told?.hasEnded === true || !(await isActive())) {
        row = told?.row ?? (await read())
      }
    }
    return row
  } finally {
    listening.end()
  }
}

export function toView<TOutput>(
  row: ExecutionRow,
  { serializer }: HandleDoors,
): DurableTaskExecution<TOutput> {
  return convertTaskExecutionStorageObjectToTaskExecution<TOutput>(row, serializer)
}

/** A signal of either kind, as one of ours. */
export function resolveSignal(
  given: CancelSignal | AbortSignal | null | undefined,
): CancelSignal | undefined {
  if (given === undefined || given === null) {
    return undefined
  }
  const { onCancelled, addEventListener } = given as Record<string, unknown>
  if (typeof onCancelled !== 'function' && typeof addEventListener !== 'function') {
    throw new DurableExecutionError(
      `Invalid signal: must be a CancelSignal or an AbortSignal, got ${shown(given)}`,
      false,
    )
  }
  return toCancelSignal(given)
}

function resolvePollMs(given: number | null | undefined): number {
  if (given === undefined || given === null) {
    return LIMITS.waitPollMs
  }
  if (typeof given !== 'number' || !Number.isFinite(given)) {
    throw new DurableExecutionError(
      `Invalid pollingIntervalMs: must be a finite number, got ${shown(given)}`,
      false,
    )
  }
  return given > 0 ? given : LIMITS.waitPollMs
}
