/** What becomes of a parent when one of the children that it returned has ended. */

import { assert } from '../base/assert.ts'
import { finish } from './attempt.ts'
import { type ExecutionRow, type ExecutionUpdate, type LeanRow } from './execution.ts'
import { type Transition, type TransitionFacts } from './facts.ts'
import { endedByDeadline, failedCount, fanInFailed, noteFailure, noteLateFailure } from './failed-children.ts'
import { countChild, fanIn, isLastChild } from './parent.ts'
import { applyUpdate } from './update.ts'

const NO_INSERTS: ReadonlyArray<ExecutionRow> = []

/** A child completed: it is counted, and the last one moves its parent. */
export function childCompleted(parent: LeanRow, facts: TransitionFacts): Transition {
  const counted = countChild(parent, facts.now)
  if (parent.status !== 'waiting_for_children_tasks') {
    return { update: counted, inserts: NO_INSERTS }
  }
  const failed = failedCount(parent) ?? facts.failedChildren(parent.executionId)
  return failed === undefined
    ? { needs: 'failed_children', executionId: parent.executionId }
    : childEnded(parent, counted, failed, facts)
}

/** A child ended badly: it ends its parent too, or is noted by a parent that tolerates it. */
export function childFailed(parent: LeanRow, childId: string, facts: TransitionFacts): Transition {
  const child = facts.row(childId)
  assert(child, `the failed child ${childId} is not in its family`)
  const index = indexOfChild(parent, child)
  if (parent.status !== 'waiting_for_children_tasks') {
    return { update: noteLateFailure(parent, child, index, facts.now), inserts: NO_INSERTS }
  }
  const end = endedByDeadline(parent, child, facts.now)
  if (end !== undefined) {
    return { update: end, inserts: NO_INSERTS }
  }
  const failedBefore = failedCount(parent) ?? facts.failedChildren(parent.executionId)
  return failedBefore === undefined
    ? { needs: 'failed_children', executionId: parent.executionId }
    : childEnded(parent, noteFailure(parent, child, index, facts.now), failedBefore + 1, facts)
}

/** One more child of a waiting parent has ended, as the update says; so many of all that did ended badly. */
function childEnded(
  parent: LeanRow,
  update: ExecutionUpdate,
  failedCount: number,
  facts: TransitionFacts,
): Transition {
  const { now } = facts
  const plan = facts.planOf(parent.taskId)
  if (plan === undefined) {
    return { refused: 'parent_unknown' }
  }
  // What the task says now counts, also for failures that another version of it has let pass.
  if (failedCount > (plan.toleratedFailures ?? 0)) {
    return { update: { ...update, ...finish(parent, 'children_tasks_failed', now) }, inserts: NO_INSERTS }
  }
  const noted = failedCount === 0 ? update : { ...update, childrenTasksFailedCount: failedCount }
  const { childrenTasksCompletedCount = parent.childrenTasksCompletedCount } = update
  if (!isLastChild(parent, childrenTasksCompletedCount + failedCount)) {
    return { update: noted, inserts: NO_INSERTS }
  }
  const whole = facts.fanIn(parent.executionId)
  if (whole === undefined) {
    return { needs: 'fan_in', executionId: parent.executionId }
  }
  const step = fanIn(parent, plan, whole, facts.newExecutionId, now)
  if ('error' in step) {
    const failed = fanInFailed(applyUpdate(parent, noted), whole, step, now)
    return { update: { ...noted, ...failed }, inserts: NO_INSERTS }
  }
  return {
    update: { ...noted, ...step.update },
    inserts: step.insert === undefined ? NO_INSERTS : [step.insert],
  }
}

function indexOfChild(parent: LeanRow, child: LeanRow): number {
  return (
    child.childIndex ??
    Math.max(0, parent.childrenTasks?.findIndex((entry) => entry.executionId === child.executionId) ?? 0)
  )
}
