/** Children that the code of a run asks for: checked, and their inputs turned into text. */

import { DurableExecutionError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { checkPayload } from '../base/payload.ts'
import { type MaybePromise } from '../base/promise.ts'
import { type NewChild } from '../machine/event.ts'
import { type DurableChildTask, type TaskDefinition } from '../task/define.ts'
import { resolveWishes } from '../task/enqueue-options.ts'
import { isGiven, resolveEnqueueOptions } from '../task/options.ts'
import { checkInput } from '../task/schema.ts'
import { type Engine } from './engine.ts'

/** Checks the children that a run returned, and turns their inputs into text. */
export async function prepareChildren(
  parent: TaskDefinition,
  given: ReadonlyArray<DurableChildTask>,
  engine: Engine,
): Promise<Array<NewChild>> {
  if (given.length > LIMITS.childrenPerParent) {
    throw new DurableExecutionError(
      `Task ${parent.id} returned ${given.length} children; at most ${LIMITS.childrenPerParent} are allowed ` +
        '(limit: childrenPerParent)',
      false,
    )
  }
  const children: Array<NewChild> = []
  for (const child of given) {
    const prepared = prepareChild(parent, child, engine)
    children.push(prepared instanceof Promise ? await prepared : prepared)
  }
  return children
}

/** Checks one child, and turns its input into text. */
export function prepareChild(
  parent: TaskDefinition,
  child: DurableChildTask,
  engine: Engine,
): MaybePromise<NewChild> {
  const childTaskId: unknown = (child as DurableChildTask | null | undefined)?.task?.id
  if (typeof childTaskId !== 'string') {
    throw new DurableExecutionError(
      `Task ${parent.id} returned a child without a task; a child is { task, input, options? }`,
      false,
    )
  }
  const definition = engine.registry.get(childTaskId)
  if (definition === undefined) {
    throw new DurableExecutionError(`Child task ${childTaskId} not found`, false)
  }
  if (isGiven(child.options?.transaction)) {
    throw new DurableExecutionError(
      `Option transaction of child task ${childTaskId} is not possible: children appear in one transaction with what their parent did. Leave it out.`,
      false,
    )
  }
  if (isGiven(child.options?.idempotencyKey)) {
    throw new DurableExecutionError(
      `Option idempotencyKey of child task ${childTaskId} is not possible: a child belongs to its parent, and appears once for it. Leave it out.`,
      false,
    )
  }
  const options = resolveEnqueueOptions(childTaskId, definition.options, child.options)
  const wishes = resolveWishes(childTaskId, child.options, engine.store.now)
  const toChild = (input: unknown): NewChild => {
    const runInput = engine.serializer.serialize(input)
    // A sequence hands on what its members gave, and what the engine composed for them may be larger.
    if (!parent.isSequenceStep) {
      checkPayload(runInput, 'The input of task ', childTaskId, engine.options.maxPayloadBytes)
    }
    const executionId = engine.store.newExecutionId()
    return { ...options, ...wishes, taskId: childTaskId, executionId, runInput }
  }
  return definition.validateInput === undefined
    ? toChild(child.input)
    : checkInput(childTaskId, definition.validateInput, child.input).then(toChild)
}
