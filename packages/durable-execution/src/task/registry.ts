/** The tasks that one executor knows. */

import { DurableExecutionError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { isPromiseLike, type MaybePromise } from '../base/promise.ts'
import {
  type DurableChildrenPolicy,
  type DurableChildTask,
  type DurableParentTaskOptions,
  type DurableTaskOptions,
  type RunOutcome,
  type TaskDefinition,
} from './define.ts'
import { refuseChildrenPolicy, resolveChildrenPolicy } from './children-policy.ts'
import { type DurableTaskCommonOptions, resolveTaskOptions, shown } from './options.ts'
import { validateTaskId } from './task-id.ts'

type Validator = (input: unknown) => MaybePromise<unknown>
// The registry takes tasks of all types; what it is given was checked where it was written.
type AnyTaskOptions = DurableTaskOptions<never, unknown>
/** A parent task of any types: what it is given was checked where it was written. */
export type AnyParentTaskOptions = DurableParentTaskOptions<
  never,
  unknown,
  unknown,
  unknown,
  DurableChildrenPolicy
>

/** Tasks by id. */
export class TaskRegistry {
  readonly #definitions = new Map<string, TaskDefinition>()
  #ids: Array<string> | undefined

  /** Adds a plain task. */
  addTask(options: AnyTaskOptions, validateInput?: Validator): TaskDefinition {
    return this.#add(defineTask(options, validateInput))
  }

  /** Adds a parent task, with its finalize task and that one's. */
  addParentTask(options: AnyParentTaskOptions, validateInput?: Validator): TaskDefinition {
    return this.#add(defineParentTask(options, validateInput))
  }

  /** Adds a definition that was put together by the engine itself. */
  addDefinition(definition: TaskDefinition): TaskDefinition {
    return this.#add(definition)
  }

  get(taskId: string): TaskDefinition | undefined {
    return this.#definitions.get(taskId)
  }

  /** The task, or an error that says what is known. */
  getOrThrow(taskId: string): TaskDefinition {
    const definition = this.#definitions.get(taskId)
    if (definition === undefined) {
      throw new DurableExecutionError(
        `Task ${taskId} not found. Define it on this executor first; it knows ${this.#describeKnown()}.`,
        false,
      )
    }
    return definition
  }

  /** The ids of all tasks. The array is the same one until a task is added. */
  ids(): Array<string> {
    this.#ids ??= [...this.#definitions.keys()]
    return this.#ids
  }

  // All of a tree of definitions or nothing: a refused definition registers nothing.
  #add(definition: TaskDefinition): TaskDefinition {
    const added = withFinalizeTasks(definition)
    const seen = new Set<string>()
    for (const { id } of added) {
      if (this.#definitions.has(id) || seen.has(id)) {
        throw new DurableExecutionError(`Task ${id} already exists. Use unique ids for tasks`, false)
      }
      seen.add(id)
    }
    for (const one of added) {
      this.#definitions.set(one.id, one)
    }
    this.#ids = undefined
    return definition
  }

  #describeKnown(): string {
    const ids = this.ids()
    if (ids.length === 0) {
      return 'no tasks'
    }
    const shown = ids.slice(0, 10).join(', ')
    return ids.length > 10 ? `${shown} and ${ids.length - 10} more` : shown
  }
}

function withFinalizeTasks(definition: TaskDefinition): Array<TaskDefinition> {
  const all: Array<TaskDefinition> = []
  for (let next: TaskDefinition | undefined = definition; next !== undefined; next = next.finalize) {
    all.push(next)
  }
  return all
}

function common(
  options: DurableTaskCommonOptions,
  validateInput: Validator | undefined,
): Pick<TaskDefinition, 'id' | 'options' | 'maxLosses' | 'validateInput' | 'isSequenceStep'> {
  if (typeof options !== 'object' || options === null) {
    throw new DurableExecutionError('A task needs an object with its options', false)
  }
  validateTaskId(options.id)
  return {
    id: options.id,
    options: resolveTaskOptions(options),
    maxLosses: options.maxLosses ?? undefined,
    validateInput,
    isSequenceStep: false,
  }
}

function defineTask(options: AnyTaskOptions, validateInput: Validator | undefined): TaskDefinition {
  const shared = common(options, validateInput)
  mustBeFunction(options.id, 'run', options.run)
  refuseChildrenPolicy(options)
  return {
    ...shared,
    isParent: false,
    run: (ctx, input) => {
      const output = options.run(ctx, input as never)
      return isPromiseLike(output) ? plainOutcome(output) : { kind: 'plain', output }
    },
    finalize: undefined,
  }
}

function defineParentTask(
  options: AnyParentTaskOptions,
  validateInput: Validator | undefined,
  depth: number = 1,
): TaskDefinition {
  const shared = common(options, validateInput)
  mustBeFunction(options.id, 'runParent', options.runParent)
  return {
    ...shared,
    ...resolveChildrenPolicy(options.id, options.childrenPolicy),
    isParent: true,
    run: async (ctx, input) => {
      const returned: unknown = await options.runParent(ctx, input as never)
      return { kind: 'parent', ...checkReturned(options.id, returned) }
    },
    finalize: defineFinalizeTask(options.id, options.finalizeTask, depth + 1),
  }
}

function defineFinalizeTask(
  taskId: string,
  given: AnyParentTaskOptions['finalizeTask'],
  depth: number,
): TaskDefinition | undefined {
  if (given === undefined || given === null) {
    return undefined
  }
  // One that is its own finalize task would never end.
  if (depth > LIMITS.depth) {
    throw new DurableExecutionError(
      `Invalid finalizeTask of task ${taskId}: they are nested more than ${LIMITS.depth} deep (limit: depth)`,
      false,
    )
  }
  return typeof given === 'object' && 'runParent' in given
    ? defineParentTask(given, undefined, depth)
    : defineTask(given, undefined)
}

async function plainOutcome(output: PromiseLike<unknown>): Promise<RunOutcome> {
  return { kind: 'plain', output: await output }
}

function mustBeFunction(taskId: string, name: string, fn: unknown): void {
  if (typeof fn !== 'function') {
    throw new DurableExecutionError(`Task ${taskId} needs a function ${name}`, false)
  }
}

function checkReturned(
  taskId: string,
  returned: unknown,
): { output: unknown; childrenTasks: ReadonlyArray<DurableChildTask> } {
  if (typeof returned !== 'object' || returned === null) {
    throw new DurableExecutionError(
      `runParent of task ${taskId} must return { output, childrenTasks }, got ${shown(returned)}`,
      false,
    )
  }
  const { output, childrenTasks } = returned as { output?: unknown; childrenTasks?: unknown }
  if (childrenTasks === undefined || childrenTasks === null) {
    return { output, childrenTasks: [] }
  }
  if (!Array.isArray(childrenTasks)) {
    throw new DurableExecutionError(`childrenTasks returned by task ${taskId} must be an array`, false)
  }
  return { output, childrenTasks: childrenTasks as Array<DurableChildTask> }
}
