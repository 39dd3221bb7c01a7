/** From a call of `enqueueTask` or `enqueueTasks` to rows: everything is checked before anything is written. */

import { DurableExecutionError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { checkPayload } from '../base/payload.ts'
import { type MaybePromise } from '../base/promise.ts'
import { type Serializer } from '../base/serializer.ts'
import { createDurableTaskExecutionStorageObject, type ExecutionRow } from '../machine/execution.ts'
import { setPriority } from '../machine/priority.ts'
import { type TaskDefinition } from '../task/define.ts'
import {
  type DurableTaskEnqueueOptions,
  resolveEnqueueOptions,
  type ResolvedOptions,
} from '../task/options.ts'
import { checkInput } from '../task/schema.ts'

/**
 * One of the inputs of `enqueueTasks`, with options of its own. An object that has exactly these two keys is
 * read as this; any other is an input.
 *
 * @category Task
 */
export type DurableTaskInputWithOptions<TInput> = {
  input: TInput
  /** What is different for this execution; it replaces, one by one, what the call says for all. */
  options: Omit<DurableTaskEnqueueOptions, 'transaction'> | null | undefined
}

export type EnqueueDoors = {
  serializer: Serializer
  maxPayloadBytes: number
  now: () => number
  newExecutionId: () => string
}

/** The row of a new execution, ready to be inserted; a promise only where the task checks its input. */
export function prepareExecution(
  definition: TaskDefinition,
  input: unknown,
  options: DurableTaskEnqueueOptions | null | undefined,
  doors: EnqueueDoors,
): MaybePromise<ExecutionRow> {
  const resolved = resolveEnqueueOptions(definition.id, definition.options, options)
  return definition.validateInput === undefined
    ? toRow(definition.id, input, resolved, doors)
    : checkInput(definition.id, definition.validateInput, input).then((validated) =>
        toRow(definition.id, validated, resolved, doors),
      )
}

/** The rows of many executions of one task, in the order of the inputs. */
export async function prepareExecutions(
  definition: TaskDefinition,
  inputs: ReadonlyArray<unknown>,
  common: DurableTaskEnqueueOptions | null | undefined,
  doors: EnqueueDoors,
): Promise<Array<ExecutionRow>> {
  if (!Array.isArray(inputs)) {
    throw new DurableExecutionError(`enqueueTasks of task ${definition.id} needs an array of inputs`, false)
  }
  if (inputs.length > LIMITS.tasksPerEnqueue) {
    throw new DurableExecutionError(
      `enqueueTasks of task ${definition.id} was given ${inputs.length} inputs; at most ` +
        `${LIMITS.tasksPerEnqueue} are allowed (limit: tasksPerEnqueue). Enqueue them in parts.`,
      false,
    )
  }
  // Checked even if there is no input, and for most inputs all there is to resolve.
  resolveEnqueueOptions(definition.id, definition.options, common)
  const rows: Array<ExecutionRow> = []
  for (const given of inputs as ReadonlyArray<unknown>) {
    const { input, options } = isWithOptions(given)
      ? { input: given.input, options: ownOptions(definition.id, common, given.options) }
      : { input: given, options: common }
    const prepared = prepareExecution(definition, input, options, doors)
    rows.push(prepared instanceof Promise ? await prepared : prepared)
  }
  return rows
}

function toRow(
  taskId: string,
  input: unknown,
  { retryOptions, sleepMsBeforeRun, timeoutMs, priority }: ResolvedOptions,
  { serializer, maxPayloadBytes, now, newExecutionId }: EnqueueDoors,
): ExecutionRow {
  const runInput = serializer.serialize(input)
  checkPayload(runInput, 'The input of task ', taskId, maxPayloadBytes)
  const row = createDurableTaskExecutionStorageObject({
    now: new Date(now()),
    taskId,
    executionId: newExecutionId(),
    retryOptions,
    sleepMsBeforeRun,
    timeoutMs,
    runInput,
  })
  row.depth = 1
  setPriority(row, priority)
  return row
}

function isWithOptions(given: unknown): given is DurableTaskInputWithOptions<unknown> {
  if (typeof given !== 'object' || given === null || !('input' in given) || !('options' in given)) {
    return false
  }
  return Object.keys(given).length === 2
}

function ownOptions(
  taskId: string,
  common: DurableTaskEnqueueOptions | null | undefined,
  own: DurableTaskInputWithOptions<unknown>['options'],
): DurableTaskEnqueueOptions | null | undefined {
  if (own === undefined || own === null) {
    return common
  }
  const given: DurableTaskEnqueueOptions = own
  if (given.transaction !== undefined && given.transaction !== null) {
    throw new DurableExecutionError(
      `Option transaction of one input of task ${taskId} is not possible: all appear in one transaction. ` +
        'Give it as an option of the call.',
      false,
    )
  }
  return typeof own === 'object' ? { ...common, ...withoutMissing(own) } : own
}

function withoutMissing(options: object): object {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined && value !== null),
  )
}
