/** One event meets one row: the table says whether it may, the rules say what becomes of the row. */

import { awaitedEnded, type DurableStep, recorded, signalled, suspended } from './durable.ts'
import { assert } from '../base/assert.ts'
import { type Millis } from '../base/clock.ts'
import { LIMITS } from '../base/limits.ts'
import {
  afterError,
  cancelled,
  claimed,
  failed,
  holdsLease,
  isRepeated,
  isSuspensionLeft,
  lost,
  released,
  renewed,
  succeeded,
} from './attempt.ts'
import { type ExecutionEvent, type NewChild, type Refusal } from './event.ts'
import { childrenCount, type ExecutionRow, type ExecutionUpdate, type LeanRow } from './execution.ts'
import { assertKnownStatus } from './damage.ts'
import { childCompleted, childFailed } from './children-ended.ts'
import { type Transition, type TransitionFacts } from './facts.ts'
import {
  awaitedChildRows,
  childrenAtWork,
  childRows,
  type FanIn,
  endedBadly,
  fanIn,
  finalizeEnded,
  tooDeep,
} from './parent.ts'
import { TRANSITIONS } from './table.ts'

/** Decides one event. The row is not changed; what it becomes is in the answer. */
export function transition(row: LeanRow, event: ExecutionEvent, facts: TransitionFacts): Transition {
  assertKnownStatus(row)
  const cell = TRANSITIONS[row.status][event.kind]
  if ('refused' in cell) {
    return { refused: isRepeated(row, event) ? 'repeated' : cell.refused }
  }
  const step = move(row, event, facts)
  if (!('update' in step)) {
    return step
  }
  const next = step.update?.status ?? row.status
  assert(cell.to.includes(next), `${event.kind} led from ${row.status} to ${next}`)
  return step
}

function move(row: LeanRow, event: ExecutionEvent, facts: TransitionFacts): Transition {
  const { now } = facts
  switch (event.kind) {
    case 'claimed':
      return answer(claimed(row, event, now))
    case 'renewed':
      return answer(renewed(row, event, now))
    case 'succeeded':
      return answer(succeeded(row, event, now))
    case 'fanned_out':
      return holdsLease(row, event.lease) ? fannedOut(row, event, facts) : { refused: 'stale' }
    case 'recorded':
      return answerDurable(recorded(row, event, facts, now))
    case 'suspended':
      return answerDurable(suspended(row, event, facts, now))
    case 'signalled':
      return signalled(row, event, now)
    case 'failed':
      return answer(failed(row, event, now))
    case 'released':
      return answer(released(row, event, now))
    case 'lost':
      return answer(lost(row, event, now))
    case 'cancelled':
      return answer(cancelled(row, 'Task cancelled', now))
    case 'parent_ended':
      return answer(cancelled(row, event.parentError.message, now))
    case 'child_completed':
      return childCompleted(row, facts)
    case 'child_failed':
      return childFailed(row, event.childId, facts)
    case 'awaited_ended': {
      const child = facts.row(event.childId)
      assert(child, `the awaited child ${event.childId} is not in its family`)
      return { update: awaitedEnded(row, child, now), inserts: NO_INSERTS }
    }
    case 'finalize_completed':
    case 'finalize_failed':
      return finalizeDone(row, event.childId, facts)
    case 'closed':
      return close(row, event, now)
  }
}

const NO_INSERTS: ReadonlyArray<ExecutionRow> = []

function answer(outcome: ExecutionUpdate | Refusal): Transition {
  return typeof outcome === 'string' ? { refused: outcome } : { update: outcome, inserts: NO_INSERTS }
}

function answerDurable(step: DurableStep): Transition {
  return step === 'stale' ? { refused: step } : step
}

function fannedOut(
  row: LeanRow,
  event: { runOutput: string; children: ReadonlyArray<NewChild> },
  facts: TransitionFacts,
): Transition {
  const { now } = facts
  if (event.children.length > 0 && (row.depth ?? 0) >= LIMITS.depth) {
    return answer(afterError(row, tooDeep(), now))
  }
  const started = startedInCode(row, facts)
  if (started === undefined) {
    return { needs: 'fan_in', executionId: row.executionId }
  }
  const unknown = started.filter((id) => facts.known(id) === undefined)
  if (unknown.length > 0) {
    return { needs: 'rows', ids: unknown }
  }
  // The list of children is to be that of the returned ones alone: what is at work below it would be found by nobody.
  if (started.some((id) => facts.known(id)?.isClosed === false)) {
    return answer(afterError(row, childrenAtWork(row), now))
  }
  const settled: ExecutionUpdate = {
    ...(isSuspensionLeft(row) ? { suspendedFor: [] } : {}),
    runOutput: event.runOutput,
    unsetExpiresAt: true,
    unsetError: true,
    losses: 0,
    updatedAt: new Date(now),
  }
  if (event.children.length > 0) {
    return {
      update: {
        ...settled,
        status: 'waiting_for_children_tasks',
        childrenTasks: event.children.map(({ taskId, executionId }) => ({ taskId, executionId })),
        childrenTasksCount: event.children.length,
      },
      inserts: childRows(row, event.children, now),
    }
  }
  const runInput = row.runInput ?? facts.fanIn(row.executionId)?.runInput
  if (runInput === undefined) {
    return { needs: 'fan_in', executionId: row.executionId }
  }
  const plan = facts.planOf(row.taskId)
  assert(plan, `${row.taskId} was run here and is not known here`)
  const whole: FanIn = { runInput, runOutput: event.runOutput, children: [] }
  const step = fanIn(row, plan, whole, facts.newExecutionId, now)
  if ('error' in step) {
    return answer(afterError(row, { ...step.error, isRetryable: false }, now))
  }
  return {
    update: { ...settled, ...step.update, childrenTasks: [], childrenTasksCount: 0 },
    inserts: step.insert === undefined ? [] : [step.insert],
  }
}

/** The ids of the children that the code of this and earlier attempts has started; undefined if they were not read. */
function startedInCode(row: LeanRow, facts: TransitionFacts): ReadonlyArray<string> | undefined {
  if (childrenCount(row) === 0) {
    return []
  }
  const children = row.childrenTasks ?? facts.fanIn(row.executionId)?.children
  return children?.map((child) => child.executionId)
}

function finalizeDone(parent: LeanRow, finalizeId: string, facts: TransitionFacts): Transition {
  const finalize = facts.row(finalizeId)
  assert(finalize, `the finalize execution ${finalizeId} is not in its family`)
  if (parent.status !== 'waiting_for_finalize_task') {
    return { update: null, inserts: [] }
  }
  const isLink = facts.planOf(finalize.taskId)?.passesErrorsOn === true
  if (finalize.status !== 'completed') {
    return { update: finalizeEnded(parent, finalize, '', isLink, facts.now), inserts: [] }
  }
  const output = finalize.output ?? facts.output(finalizeId)
  return output === undefined
    ? { needs: 'output', executionId: finalizeId }
    : { update: finalizeEnded(parent, finalize, output, isLink, facts.now), inserts: [] }
}

function close(
  row: LeanRow,
  { isBelowClosed, compensation }: { isBelowClosed: boolean; compensation?: NewChild },
  now: Millis,
): Transition {
  if (row.isClosed) {
    return { refused: 'closed' }
  }
  if (!isBelowClosed) {
    return { refused: 'below_open' }
  }
  return {
    update: { isClosed: true, updatedAt: new Date(now) },
    inserts: compensation !== undefined && endedBadly(row) ? undoing(row, compensation, now) : NO_INSERTS,
  }
}

/** The row of what undoes another. It takes as long as it takes, whatever the deadline of what it undoes. */
function undoing(row: LeanRow, compensation: NewChild, now: Millis): ReadonlyArray<ExecutionRow> {
  const { deadlineAt: _, ...withoutDeadline } = row
  return awaitedChildRows(withoutDeadline, [compensation], now)
}
