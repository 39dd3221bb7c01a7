/** From a call of `enqueueTask` or `enqueueTasks` to rows: everything is checked before anything is written. */

import { DurableExecutionError } from '../base/errors.ts'
import { keyedExecutionId } from '../base/ids.ts'
import { LIMITS } from '../base/limits.ts'
import { Moments } from '../base/moments.ts'
import { checkPayload } from '../base/payload.ts'
import { type MaybePromise } from '../base/promise.ts'
import { type Serializer } from '../base/serializer.ts'
import { type Wishes } from '../machine/event.ts'
import { createDurableTaskExecutionStorageObject, type ExecutionRow } from '../machine/execution.ts'
import { addWishes } from '../machine/new-row.ts'
import { setPriority } from '../machine/priority.ts'
import { type TaskDefinition } from '../task/define.ts'
import { resolveKey, resolveWishes } from '../task/enqueue-options.ts'
import {
  type DurableTaskEnqueueOptions,
  isGiven,
  resolveEnqueueOptions,
  type ResolvedOptions,
} from '../task/options.ts'
import { checkInput } from '../task/schema.ts'
import { Keys } from './keys.ts'

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

/** What is to be inserted, and the key that its id was made from. */
export type PreparedExecution = { row: ExecutionRow; key: string | undefined }

/** What is to be inserted together. An execution that comes twice, under one key, is one row. */
export type PreparedExecutions = { rows: Array<ExecutionRow>; keys: Keys | undefined }

/** All that was said of one execution, checked. */
type Said = { options: ResolvedOptions; wishes: Wishes; key: string | undefined }

/** The row of a new execution, ready to be inserted; a promise only where the task checks its input. */
export function prepareExecution(
  definition: TaskDefinition,
  input: unknown,
  options: DurableTaskEnqueueOptions | null | undefined,
  doors: EnqueueDoors,
  moments?: Moments,
): MaybePromise<PreparedExecution> {
  const said = check(definition, options, doors)
  return definition.validateInput === undefined
    ? prepare(definition.id, input, said, doors, moments)
    : checkInput(definition.id, definition.validateInput, input).then((validated) =>
        prepare(definition.id, validated, said, doors, moments),
      )
}

/** The rows of many executions of one task, in the order of the inputs. */
export async function prepareExecutions(
  definition: TaskDefinition,
  inputs: ReadonlyArray<unknown>,
  common: DurableTaskEnqueueOptions | null | undefined,
  doors: EnqueueDoors,
): Promise<PreparedExecutions> {
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
  check(definition, common, doors)
  const moments = new Moments()
  const rows: Array<ExecutionRow> = []
  let keys: Keys | undefined
  for (const given of inputs as ReadonlyArray<unknown>) {
    const { input, options } = isWithOptions(given)
      ? { input: given.input, options: ownOptions(definition.id, common, given.options) }
      : { input: given, options: common }
    const prepared = prepareExecution(definition, input, options, doors, moments)
    const { row, key } = prepared instanceof Promise ? await prepared : prepared
    if (key === undefined) {
      rows.push(row)
    } else {
      keys ??= new Keys(definition.id)
      rows.push(keys.add(row, key))
    }
  }
  return { rows, keys }
}

function check(
  { id, options: own }: TaskDefinition,
  given: DurableTaskEnqueueOptions | null | undefined,
  { now }: EnqueueDoors,
): Said {
  return {
    options: resolveEnqueueOptions(id, own, given),
    wishes: resolveWishes(id, given, now),
    key: resolveKey(id, given),
  }
}

function prepare(
  taskId: string,
  input: unknown,
  { options: { retryOptions, sleepMsBeforeRun, timeoutMs, priority }, wishes, key }: Said,
  { serializer, maxPayloadBytes, now, newExecutionId }: EnqueueDoors,
  moments: Moments | undefined,
): PreparedExecution {
  const runInput = serializer.serialize(input)
  checkPayload(runInput, 'The input of task ', taskId, maxPayloadBytes)
  const row = createDurableTaskExecutionStorageObject({
    now: moments === undefined ? new Date(now()) : moments.of(now()),
    taskId,
    executionId: key === undefined ? newExecutionId() : keyedExecutionId(taskId, key),
    retryOptions,
    sleepMsBeforeRun,
    timeoutMs,
    runInput,
  })
  row.depth = 1
  setPriority(row, priority)
  return { row: addWishes(row, wishes), key }
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
  return typeof own === 'object' ? { ...withoutOther(common, own), ...withoutMissing(own) } : own
}

/** What the call says for all, without the other way to say when that the input's own options take the place of. */
function withoutOther(
  common: DurableTaskEnqueueOptions | null | undefined,
  { startAt, sleepMsBeforeRun }: DurableTaskEnqueueOptions,
): DurableTaskEnqueueOptions {
  const rest = { ...common }
  if (isGiven(startAt)) {
    delete rest.sleepMsBeforeRun
  }
  if (isGiven(sleepMsBeforeRun)) {
    delete rest.startAt
  }
  return rest
}

function withoutMissing(options: object): object {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined && value !== null),
  )
}
