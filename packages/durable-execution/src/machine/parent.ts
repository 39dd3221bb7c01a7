/** What children and the finalize task do to their parent. */

import { type Millis } from '../base/clock.ts'
import { cutMessage, type DurableExecutionErrorStorageObject } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { finish } from './attempt.ts'
import { deadlineExceededWaitingFor, deadlineOf, isDeadlineOver } from './deadline.ts'
import { type ExecutionTemplate, type NewChild } from './event.ts'
import {
  childrenCount,
  createDurableTaskExecutionStorageObject,
  type DurableChildTaskExecution,
  type ExecutionRow,
  type ExecutionUpdate,
  type LeanRow,
} from './execution.ts'
import { type FinishedStatus, isFinishedStatus } from './status.ts'
import { addWishes } from './new-row.ts'
import { parentErrorOf } from './parent-error.ts'
import { setPriority } from './priority.ts'

/** What the rules must know of a parent's task: how its outputs are put together, and what comes last. */
export type ParentPlan = {
  /**
   * How many children may end badly before the parent does; absent: none, and what is put together is their outputs
   * alone, not how each of them ended.
   */
  toleratedFailures?: number
  /** The text of the parent's output when there is no finalize task. */
  composeOutput: (fanIn: FanIn) => Composed
  /** Whether an error of its own finalize task is its error, word for word: it is a link of a longer chain. */
  passesErrorsOn?: boolean
  /** The finalize task, if there is one, and the text of its input. */
  finalize?: { template: ExecutionTemplate; composeInput: (fanIn: FanIn) => Composed }
}

/** All that a parent's outputs are made of, once its children are done. */
export type FanIn = {
  runInput: string
  runOutput: string
  /** In the order the run returned them. */
  children: ReadonlyArray<DurableChildTaskExecution & ChildEnd>
}

/** How a child ended: well, with an output, which may be missing in a damaged storage; or badly. */
export type ChildEnd = { output: string | undefined; failure?: ChildFailure | undefined }

/** How a child ended that did complete. */
export const COMPLETED: Extract<FinishedStatus, 'completed'> = 'completed'

/** Why a child did not complete. */
export type ChildFailure = {
  status: Exclude<FinishedStatus, 'completed'>
  error: DurableExecutionErrorStorageObject
}

/** A text, or why there is none; with the child at fault, if it was a child's output. */
export type Composed = { text: string } | { error: DurableExecutionErrorStorageObject; childIndex?: number }

/** An update of the parent and, with it, the finalize execution to insert. */
export type ParentMove = { update: ExecutionUpdate; insert?: ExecutionRow }

/** The rows of the children that a run returned. */
export function childRows(
  parent: LeanRow,
  children: ReadonlyArray<NewChild>,
  now: Millis,
): Array<ExecutionRow> {
  const place = placeBelow(parent, now)
  return children.map((child, childIndex) => {
    const row = rowBelow(place, child)
    row.childIndex = childIndex
    return row
  })
}

/** The rows of children that the code of a run awaits; they have ids already. */
export function awaitedChildRows(
  parent: LeanRow,
  children: ReadonlyArray<NewChild>,
  now: Millis,
): Array<ExecutionRow> {
  const place = placeBelow(parent, now)
  return children.map((child) => rowBelow(place, child))
}

/** One more child is completed, and others are still to come. */
export function countChild(parent: LeanRow, now: Millis): ExecutionUpdate {
  return {
    childrenTasksCompletedCount: parent.childrenTasksCompletedCount + 1,
    updatedAt: new Date(now),
  }
}

/** Whether no child is missing once so many of them have ended. */
export function isLastChild(parent: LeanRow, ended: number): boolean {
  return ended === childrenCount(parent)
}

/** All children have ended (perhaps there were none): on to the finalize task, or the end. */
export function fanIn(
  parent: LeanRow,
  plan: ParentPlan,
  facts: FanIn,
  finalizeId: () => string,
  now: Millis,
): ParentMove | { error: DurableExecutionErrorStorageObject; childIndex?: number } {
  if (plan.finalize === undefined) {
    const output = plan.composeOutput(facts)
    return 'error' in output
      ? output
      : { update: { ...finish(parent, 'completed', now), output: output.text, unsetError: true } }
  }
  if ((parent.depth ?? 0) >= LIMITS.depth) {
    return { error: tooDeep() }
  }
  const input = plan.finalize.composeInput(facts)
  if ('error' in input) {
    return input
  }
  const { template } = plan.finalize
  const insert = rowBelow(placeBelow(parent, now, true), {
    ...template,
    executionId: finalizeId(),
    runInput: input.text,
  })
  return {
    update: {
      status: 'waiting_for_finalize_task',
      finalizeTask: { taskId: insert.taskId, executionId: insert.executionId },
      unsetExpiresAt: true,
      unsetError: true,
      updatedAt: new Date(now),
    },
    insert,
  }
}

/**
 * The finalize task ended: its output or its error becomes the parent's. `isLink`: the finalize task
 * passes on errors as they are. If each link of a chain wrapped the error of the next one, a long
 * chain would bury it.
 */
export function finalizeEnded(
  parent: LeanRow,
  finalize: LeanRow,
  output: string,
  isLink: boolean,
  now: Millis,
): ExecutionUpdate {
  if (finalize.status === 'completed') {
    return { ...finish(parent, 'completed', now), unsetError: true, output }
  }
  const reason = (isLink ? finalize.finalizeTaskError : undefined) ?? parentErrorOf(finalize)
  if (isOverWhenEnded(parent, finalize, now)) {
    const what = `finalize task with id ${finalize.executionId}`
    return { ...finish(parent, 'timed_out', now), error: deadlineExceededWaitingFor(what, reason) }
  }
  return {
    ...finish(parent, 'finalize_task_failed', now),
    finalizeTaskError: { ...reason, message: cutMessage(reason.message) },
  }
}

/** What a child is told when its parent ended badly; of what ended the parent, only the first cause. */
export function parentEndedMessage(parent: LeanRow): string {
  if (parent.status === 'completed') {
    return cutMessage(
      `${parentEndedPrefix(parent.taskId, parent.executionId)}it ended without waiting for it`,
    )
  }
  const reason = parentErrorOf(parent).message
  const above = parent.parentTask
  const prefixAbove = above === undefined ? '' : parentEndedPrefix(above.taskId, above.executionId)
  const cause = reason.startsWith(prefixAbove) ? reason.slice(prefixAbove.length) : reason
  return cutMessage(`${parentEndedPrefix(parent.taskId, parent.executionId)}${cause}`)
}

/** Whether the child was cancelled because its parent had ended, not by itself. */
export function wasCancelledByParent(child: LeanRow): boolean {
  return (
    child.status === 'cancelled' &&
    child.parentTask !== undefined &&
    child.error?.message.startsWith(
      parentEndedPrefix(child.parentTask.taskId, child.parentTask.executionId),
    ) === true
  )
}

/** Whether something below the row may still be active though it is finished, or something is to be undone. */
export function mayHaveOpenBelow(row: LeanRow): boolean {
  switch (row.status) {
    case 'children_tasks_failed':
      return true
    case 'cancelled':
    case 'timed_out':
      return childrenCount(row) > 0 || row.finalizeTask !== undefined || mayBeUndone(row)
    case 'failed':
      return childrenCount(row) > 0 || mayBeUndone(row)
    case 'finalize_task_failed':
      // It came after all below had ended.
      return mayBeUndone(row)
    case 'completed':
      // Children that were returned have all been counted; those that the code started, and did not await, have not.
      return childrenCount(row) > row.childrenTasksCompletedCount + (row.childrenTasksFailedCount ?? 0)
    default:
      return false
  }
}

/** Whether the row may have said that something is to be undone; a storage that keeps no leases does not keep that either. */
export function mayBeUndone({ hasCompensations, leaseId, startedAt }: LeanRow): boolean {
  return hasCompensations ?? (leaseId === undefined && startedAt !== undefined)
}

/** Whether the row is finished and reports failure. */
export function endedBadly(row: LeanRow): boolean {
  return isFinishedStatus(row.status) && row.status !== 'completed'
}

/** The error of a run that would grow its tree beyond the limit. */
export function tooDeep(): DurableExecutionErrorStorageObject {
  return {
    errorType: 'generic',
    message: `A tree of executions may be at most ${LIMITS.depth} deep (limit: depth); this one would be ${LIMITS.depth + 1}`,
    isRetryable: false,
  }
}

/** The error of a run that returned while children were at work that its code had started. */
export function childrenAtWork({ taskId }: LeanRow): DurableExecutionErrorStorageObject {
  return {
    errorType: 'generic',
    message: `Task ${taskId} returned while children that it started by ctx.runTask were at work. Await them before it returns, or return them as children.`,
    isRetryable: false,
  }
}

/** The clocks of two processes may differ a little, so what counts is when it is told, or when it ended by the other's clock. */
export function isOverWhenEnded(parent: LeanRow, below: LeanRow, now: Millis): boolean {
  return isDeadlineOver(parent, Math.max(now, below.finishedAt?.getTime() ?? now))
}

function parentEndedPrefix(taskId: string, executionId: string): string {
  return `Parent task ${taskId} with execution id ${executionId} failed: `
}

/** What all that is inserted below a parent has in common. */
type PlaceBelow = Required<Pick<ExecutionRow, 'rootTask' | 'parentTask'>> & { parent: LeanRow; now: Date }

// Its objects are those of each row below: of a hundred thousand children they would be most of what is held.
function placeBelow(parent: LeanRow, now: Millis, isFinalizeTask: boolean = false): PlaceBelow {
  const { taskId, executionId } = parent
  return {
    parent,
    now: new Date(now),
    rootTask: parent.rootTask ?? { taskId, executionId },
    parentTask: isFinalizeTask ? { taskId, executionId, isFinalizeTask } : { taskId, executionId },
  }
}

function rowBelow({ parent, now, rootTask, parentTask }: PlaceBelow, child: NewChild): ExecutionRow {
  const { taskId, executionId, retryOptions, sleepMsBeforeRun, timeoutMs, runInput } = child
  const row = createDurableTaskExecutionStorageObject({
    taskId,
    executionId,
    retryOptions,
    sleepMsBeforeRun,
    timeoutMs,
    runInput,
    now,
    rootTask,
    parentTask,
  })
  // What belongs to something urgent is urgent: it would gain nothing if its parts waited behind all others.
  setPriority(row, child.priority ?? parent.priority)
  if (parent.depth !== undefined) {
    row.depth = parent.depth + 1
  }
  return addWishes(row, child, deadlineOf(parent))
}
