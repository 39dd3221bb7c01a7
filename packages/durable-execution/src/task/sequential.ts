/**
 * Sequences: tasks that run one after another, each with the output of the one before.
 *
 * A sequence of n members is a chain of n steps. Each step is a parent with one child, the member,
 * and the next step as its finalize task; what the child gives goes on as the text it is, so that the
 * cost grows with the number of members and not with its square.
 */

import { DurableExecutionError } from '../base/errors.ts'
import { hashName } from '../base/hash.ts'
import { LIMITS } from '../base/limits.ts'
import { type DurableTask, type TaskDefinition } from './define.ts'
import { type TaskRegistry } from './registry.ts'
import { validateTaskId } from './task-id.ts'

type AnyTask = DurableTask<unknown, unknown>
type InputOf<T> = T extends DurableTask<infer I, unknown> ? I : never
type OutputOf<T> = T extends DurableTask<unknown, infer O> ? O : never

/**
 * A list of tasks in which each one takes what the one before gives.
 *
 * @category Task
 */
export type SequentialDurableTasks<T extends ReadonlyArray<AnyTask>> = T extends readonly []
  ? T
  : SequentialDurableTasksHelper<T>

/**
 * The same list with every task that does not fit replaced by the type it should have had.
 *
 * @category Task
 */
export type SequentialDurableTasksHelper<T extends ReadonlyArray<AnyTask>> = T extends readonly [
  infer First extends AnyTask,
  infer Second extends AnyTask,
  ...infer Rest extends ReadonlyArray<AnyTask>,
]
  ? [OutputOf<First>] extends [InputOf<Second>]
    ? readonly [First, ...SequentialDurableTasksHelper<readonly [Second, ...Rest]>]
    : readonly [First, DurableTask<OutputOf<First>, OutputOf<Second>>, ...Rest]
  : T

/** The input of the first task of a list. */
export type FirstInput<T extends ReadonlyArray<AnyTask>> = T extends readonly [
  infer First,
  ...ReadonlyArray<unknown>,
]
  ? InputOf<First>
  : never

/** The output of the last task of a list. */
export type LastOutput<T extends ReadonlyArray<AnyTask>> = T extends readonly [
  ...ReadonlyArray<unknown>,
  infer Last,
]
  ? OutputOf<Last>
  : never

// A step only hands a value on; a minute is far more than that takes.
const STEP_TIMEOUT_MS = 60_000

/** Registers the sequence, if it is not registered yet. Its id is made from its members'. */
export function defineSequence(registry: TaskRegistry, tasks: ReadonlyArray<AnyTask>): { id: string } {
  if (tasks.length === 0) {
    throw new DurableExecutionError('No tasks provided', false)
  }
  for (const task of tasks as ReadonlyArray<AnyTask | null | undefined>) {
    validateTaskId(task?.id as string)
  }
  const [first] = tasks
  if (tasks.length === 1 && first !== undefined) {
    return first
  }
  // The member of the last step is one deeper than the step itself.
  if (tasks.length >= LIMITS.depth) {
    throw new DurableExecutionError(
      `A sequence may have at most ${LIMITS.depth - 1} tasks (limit: depth), got ${tasks.length}`,
      false,
    )
  }
  const id = `st_${hashName(tasks.map((task) => task.id))}`
  if (registry.get(id) !== undefined) {
    return { id }
  }
  let next: TaskDefinition | undefined
  for (let index = tasks.length - 1; index >= 0; index -= 1) {
    const member = tasks[index]
    if (member !== undefined) {
      next = defineStep(index === 0 ? id : `${id}_${index + 1}`, member, next)
    }
  }
  return next === undefined ? { id } : registry.addDefinition(next)
}

function defineStep(id: string, member: AnyTask, finalize: TaskDefinition | undefined): TaskDefinition {
  return {
    id,
    options: { retryOptions: { maxAttempts: 0 }, sleepMsBeforeRun: 0, timeoutMs: STEP_TIMEOUT_MS },
    maxLosses: undefined,
    validateInput: undefined,
    isParent: true,
    run: (_ctx, input) => ({
      kind: 'parent',
      // Any serializer can write null; to plain JSON undefined is no value.
      output: null,
      childrenTasks: [{ task: { id: member.id }, input }],
    }),
    finalize,
    isSequenceStep: true,
  }
}
