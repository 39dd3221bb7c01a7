/** Runs the user's code for one attempt. Never throws: whatever happens becomes an event. */

import { type CancelSignal } from '../base/cancel.ts'
import {
  DurableExecutionError,
  type DurableExecutionErrorStorageObject,
  toDurableExecutionError,
  toErrorStorageObject,
} from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { checkPayload } from '../base/payload.ts'
import { type Lease, type NewChild } from '../machine/event.ts'
import { type ExecutionRow } from '../machine/execution.ts'
import { type Settlement } from '../store/settle.ts'
import { createRunContext } from '../task/context.ts'
import { type DurableChildTask, type TaskDefinition } from '../task/define.ts'
import { resolveEnqueueOptions } from '../task/options.ts'
import { checkInput } from '../task/schema.ts'
import { type Engine } from './engine.ts'

/** One attempt: the row as it was claimed, and the signals its function gets. */
export type Attempt = {
  row: ExecutionRow
  lease: Lease
  definition: TaskDefinition
  cancelSignal: CancelSignal
  shutdownSignal: CancelSignal
}

export type AttemptEvent = Settlement['event']

export async function runAttempt(attempt: Attempt, engine: Engine): Promise<AttemptEvent> {
  try {
    return await callUserCode(attempt, engine)
  } catch (error) {
    const { row, cancelSignal } = attempt
    if (cancelSignal.isCancelled()) {
      // It was told to stop, and stopped: what it throws on the way is no failure of its own.
      engine.logger.info(`Task ${row.taskId} (execution ${row.executionId}) stopped when it was told to`)
    } else {
      // The log gets the error itself, with its stack and cause; the row keeps only the message.
      engine.logger.error(`Task ${row.taskId} (execution ${row.executionId}) failed`, error)
    }
    return failedEvent(attempt, toErrorStorageObject(toDurableExecutionError(error)))
  }
}

export function failedEvent(attempt: Attempt, error: DurableExecutionErrorStorageObject): AttemptEvent {
  return { kind: 'failed', executionId: attempt.row.executionId, lease: attempt.lease, error }
}

/** The attempt is given back unfinished. */
export function releasedEvent(attempt: Pick<Attempt, 'row' | 'lease'>): AttemptEvent {
  return { kind: 'released', executionId: attempt.row.executionId, lease: attempt.lease }
}

async function callUserCode(attempt: Attempt, engine: Engine): Promise<AttemptEvent> {
  const { row, lease, definition } = attempt
  const { executionId } = row
  const input: unknown = engine.serializer.deserialize(row.runInput)
  const outcome = await definition.run(
    createRunContext({
      taskId: row.taskId,
      executionId,
      cancelSignal: attempt.cancelSignal,
      shutdownSignal: attempt.shutdownSignal,
      attempt: row.retryAttempts,
      prevError: row.error,
    }),
    input,
  )
  const runOutput = engine.serializer.serialize(outcome.output)
  checkPayload(runOutput, `The output of task ${row.taskId}`, engine.options.maxPayloadBytes)
  if (outcome.kind === 'plain') {
    return { kind: 'succeeded', executionId, lease, runOutput }
  }
  const children = await prepareChildren(definition, outcome.childrenTasks, engine)
  return { kind: 'fanned_out', executionId, lease, runOutput, children }
}

/** Checks the children that a run returned, and turns their inputs into text. */
async function prepareChildren(
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
    children.push(await prepareChild(parent, child, engine))
  }
  return children
}

async function prepareChild(
  parent: TaskDefinition,
  child: DurableChildTask,
  engine: Engine,
): Promise<NewChild> {
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
  if (child.options?.transaction !== undefined && child.options.transaction !== null) {
    throw new DurableExecutionError(
      `Option transaction of child task ${childTaskId} is not possible: children appear in one transaction with their parent's outcome. Leave it out.`,
      false,
    )
  }
  const options = resolveEnqueueOptions(childTaskId, definition.options, child.options)
  const validated =
    definition.validateInput === undefined
      ? child.input
      : await checkInput(childTaskId, definition.validateInput, child.input)
  const runInput = engine.serializer.serialize(validated)
  // A sequence hands on what its members gave, and what the engine composed for them may be larger.
  if (!parent.isSequenceStep) {
    checkPayload(runInput, `The input of task ${childTaskId}`, engine.options.maxPayloadBytes)
  }
  return { ...options, taskId: childTaskId, executionId: engine.store.newExecutionId(), runInput }
}
