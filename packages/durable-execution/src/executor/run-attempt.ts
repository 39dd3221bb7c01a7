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
import { type MaybePromise } from '../base/promise.ts'
import { type Lease, type NewChild } from '../machine/event.ts'
import { damagedField, type ExecutionRow } from '../machine/execution.ts'
import { type Settlement } from '../store/settle.ts'
import { createRunContext } from '../task/context.ts'
import { type DurableChildTask, type RunOutcome, type TaskDefinition } from '../task/define.ts'
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

/**
 * Runs the function, and gives its event at once if the function did not wait for anything: a promise for
 * each of many short runs is most of what they cost.
 */
export function runAttempt(attempt: Attempt, engine: Engine): MaybePromise<AttemptEvent> {
  const caught = (error: unknown): AttemptEvent => eventOfError(attempt, error, engine)
  try {
    const event = callUserCode(attempt, engine)
    return event instanceof Promise ? event.catch(caught) : event
  } catch (error) {
    return caught(error)
  }
}

function eventOfError(attempt: Attempt, error: unknown, engine: Engine): AttemptEvent {
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

export function failedEvent(attempt: Attempt, error: DurableExecutionErrorStorageObject): AttemptEvent {
  return { kind: 'failed', executionId: attempt.row.executionId, lease: attempt.lease, error }
}

/** The attempt is given back unfinished. */
export function releasedEvent(attempt: Pick<Attempt, 'row' | 'lease'>): AttemptEvent {
  return { kind: 'released', executionId: attempt.row.executionId, lease: attempt.lease }
}

function callUserCode(attempt: Attempt, engine: Engine): MaybePromise<AttemptEvent> {
  const { row, definition } = attempt
  const damaged = damagedField(row)
  if (damaged !== undefined) {
    throw new DurableExecutionError(
      `Execution ${row.executionId} cannot be run: the ${damaged} of its row is damaged`,
      false,
    )
  }
  const input: unknown = engine.serializer.deserialize(row.runInput)
  const context = createRunContext(row, attempt.cancelSignal, attempt.shutdownSignal)
  const outcome = definition.run(context, input)
  return outcome instanceof Promise
    ? outcome.then((ended) => eventOfOutcome(attempt, ended, engine))
    : eventOfOutcome(attempt, outcome, engine)
}

function eventOfOutcome(
  { row, lease, definition }: Attempt,
  outcome: RunOutcome,
  engine: Engine,
): MaybePromise<AttemptEvent> {
  const { executionId } = row
  const runOutput = engine.serializer.serialize(outcome.output)
  checkPayload(runOutput, 'The output of task ', row.taskId, engine.options.maxPayloadBytes)
  return outcome.kind === 'plain'
    ? { kind: 'succeeded', executionId, lease, runOutput }
    : fannedOutEvent({ executionId, lease, runOutput }, definition, outcome.childrenTasks, engine)
}

async function fannedOutEvent(
  about: { executionId: string; lease: Lease; runOutput: string },
  definition: TaskDefinition,
  childrenTasks: ReadonlyArray<DurableChildTask>,
  engine: Engine,
): Promise<AttemptEvent> {
  return {
    ...about,
    kind: 'fanned_out',
    children: await prepareChildren(definition, childrenTasks, engine),
  }
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
    const prepared = prepareChild(parent, child, engine)
    children.push(prepared instanceof Promise ? await prepared : prepared)
  }
  return children
}

function prepareChild(
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
  if (child.options?.transaction !== undefined && child.options.transaction !== null) {
    throw new DurableExecutionError(
      `Option transaction of child task ${childTaskId} is not possible: children appear in one transaction with their parent's outcome. Leave it out.`,
      false,
    )
  }
  const options = resolveEnqueueOptions(childTaskId, definition.options, child.options)
  const toChild = (input: unknown): NewChild => {
    const runInput = engine.serializer.serialize(input)
    // A sequence hands on what its members gave, and what the engine composed for them may be larger.
    if (!parent.isSequenceStep) {
      checkPayload(runInput, 'The input of task ', childTaskId, engine.options.maxPayloadBytes)
    }
    return { ...options, taskId: childTaskId, executionId: engine.store.newExecutionId(), runInput }
  }
  return definition.validateInput === undefined
    ? toChild(child.input)
    : checkInput(childTaskId, definition.validateInput, child.input).then(toChild)
}
