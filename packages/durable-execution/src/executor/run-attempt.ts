/** Runs the user's code for one attempt. Never throws: whatever happens becomes an event. */

import { type CancelSignal } from '../base/cancel.ts'
import {
  DurableExecutionError,
  type DurableExecutionErrorStorageObject,
  fromErrorStorageObject,
  toDurableExecutionError,
  toErrorStorageObject,
} from '../base/errors.ts'
import { checkPayload } from '../base/payload.ts'
import { type MaybePromise } from '../base/promise.ts'
import { deadlineExceeded, isDeadlineOver } from '../machine/deadline.ts'
import { type Lease } from '../machine/event.ts'
import { type ExecutionRow } from '../machine/execution.ts'
import { damagedField } from '../machine/damage.ts'
import { childrenAtWork } from '../machine/parent.ts'
import { isCompensation } from '../machine/records.ts'
import { type Settlement } from '../store/settle.ts'
import { type CodeOf, createRunContext } from '../task/context.ts'
import { type DurableChildTask, type RunOutcome, type TaskDefinition } from '../task/define.ts'
import { type DurableCalls } from './durable/calls.ts'
import { runCompensation } from './durable/compensation.ts'
import { type Engine } from './engine.ts'
import { prepareChildren } from './prepare-children.ts'

/** One attempt: the row as it was claimed, and the signals its function gets. */
export type Attempt = {
  row: ExecutionRow
  lease: Lease
  definition: TaskDefinition
  cancelSignal: CancelSignal
  shutdownSignal: CancelSignal
  /** Its durable calls, once it has made one. */
  calls?: DurableCalls | undefined
  /** Whether its function has returned or thrown. */
  hasEnded?: boolean
}

export type AttemptEvent = Settlement['event']

/** What a run writes on its way; it goes on. */
export type WriteEvent = Extract<AttemptEvent, { kind: 'recorded' }>

/**
 * Runs the function, and gives its event at once if the function did not wait for anything: a promise for
 * each of many short runs is most of what they cost. An execution whose deadline passed before it was claimed is not run.
 */
export function runAttempt(attempt: Attempt, engine: Engine, codeOf: CodeOf): MaybePromise<AttemptEvent> {
  if (isTooLate(attempt.row, engine)) {
    const { taskId, executionId, error } = attempt.row
    engine.logger.info(`Task ${taskId} (execution ${executionId}) is not run: its deadline has passed`)
    return failedEvent(attempt, deadlineExceeded(error?.message))
  }
  const caught = (error: unknown): AttemptEvent => eventOfError(attempt, error, engine)
  try {
    const event = callUserCode(attempt, engine, codeOf)
    return event instanceof Promise ? event.catch(caught) : event
  } catch (error) {
    return caught(error)
  }
}

// The claim was made by the same clock, which may have been set since.
function isTooLate(row: ExecutionRow, { store }: Engine): boolean {
  return (
    row.deadlineAt !== undefined &&
    isDeadlineOver(row, Math.max(store.now(), row.startedAt?.getTime() ?? -Infinity))
  )
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

function callUserCode(attempt: Attempt, engine: Engine, codeOf: CodeOf): MaybePromise<AttemptEvent> {
  const { row, definition } = attempt
  const damaged = damagedField(row)
  if (damaged !== undefined) {
    throw new DurableExecutionError(
      `Execution ${row.executionId} cannot be run: the ${damaged} of its row is damaged`,
      false,
    )
  }
  const input: unknown = engine.serializer.deserialize(row.runInput)
  const outcome = isCompensation(row)
    ? runCompensation(attempt, codeOf, input)
    : definition.run(createRunContext(attempt, codeOf), input)
  return outcome instanceof Promise
    ? outcome.then((ended) => eventOfOutcome(attempt, ended, engine))
    : eventOfOutcome(attempt, outcome, engine)
}

function eventOfOutcome(attempt: Attempt, outcome: RunOutcome, engine: Engine): MaybePromise<AttemptEvent> {
  const { row, lease, definition, calls } = attempt
  // Children may be checked for a while: the run is not left for a wait that nobody minds any more.
  attempt.hasEnded = true
  const { executionId } = row
  const runOutput = engine.serializer.serialize(outcome.output)
  checkPayload(runOutput, 'The output of task ', row.taskId, engine.options.maxPayloadBytes)
  if (outcome.kind === 'plain') {
    return { kind: 'succeeded', executionId, lease, runOutput }
  }
  // Those that are written are looked for when the outcome is.
  if (calls?.writer.hasNewChildren === true) {
    throw fromErrorStorageObject(childrenAtWork(row))
  }
  return fannedOutEvent({ executionId, lease, runOutput }, definition, outcome.childrenTasks, engine)
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
