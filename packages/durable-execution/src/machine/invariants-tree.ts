/** What must hold of all rows of a storage at any moment. */

import { type Millis } from '../base/clock.ts'
import { type ExecutionRow } from './execution.ts'
import { isFinishedStatus } from './status.ts'
import { checkRecord, checkSuspension } from './invariants-durable.ts'
import { checkOutcome } from './invariants-outcome.ts'
import { type Report, type Violation } from './invariants.ts'
import { endedBadly, wasCancelledByParent } from './parent.ts'
import { isAwaitedChild, isCompensation, isRecord } from './records.ts'

/** How many children of a task's executions may end badly before those do. */
type Tolerance = (taskId: string) => number

/** What is to be known of a world beside its rows. */
export type WorldFacts = {
  /** Default 0 for every task. */
  toleratedFailures?: Tolerance
  /** The moment; by default the latest at which one of the rows was written. */
  now?: Millis
}

/** What is below one row. */
type Below = {
  /** The children that it returned. */
  children: Array<ExecutionRow>
  /** Those that its code awaits. */
  awaited: Array<ExecutionRow>
  finalizes: Array<ExecutionRow>
}

const NOTHING_BELOW: Below = { children: [], awaited: [], finalizes: [] }

/** All that is wrong with the rows. */
export function checkTree(
  rows: Iterable<ExecutionRow>,
  { toleratedFailures = () => 0, now }: WorldFacts,
): Array<Violation> {
  const violations: Array<Violation> = []
  const all = new Map<string, ExecutionRow>()
  let latest = -Infinity
  for (const row of rows) {
    all.set(row.executionId, row)
    latest = Math.max(latest, row.updatedAt.getTime())
  }
  const below = groupByParent(all)
  for (const row of all.values()) {
    const { executionId } = row
    const report: Report = (invariant, sentence) => violations.push({ invariant, executionId, sentence })
    if (isRecord(row)) {
      checkRecord(row, report)
      continue
    }
    checkAlone(row, report)
    checkPlace(row, all, report)
    const tolerated = toleratedFailures(row.taskId)
    checkChildren(row, below.get(executionId) ?? NOTHING_BELOW, tolerated, report)
    checkOutcome(row, below.get(executionId) ?? NOTHING_BELOW, tolerated, report)
    checkSuspension(row, all, now ?? latest, report)
    if (!isFinishedStatus(row.status)) {
      checkNothingClosedAbove(row, all, violations)
    }
  }
  return violations
}

function groupByParent(byId: ReadonlyMap<string, ExecutionRow>): Map<string, Below> {
  const groups = new Map<string, Below>()
  for (const row of byId.values()) {
    if (row.parentTask !== undefined && !isRecord(row) && !isCompensation(row)) {
      const group = groups.get(row.parentTask.executionId) ?? { children: [], awaited: [], finalizes: [] }
      groups.set(row.parentTask.executionId, group)
      placeIn(group, row).push(row)
    }
  }
  return groups
}

function placeIn({ children, awaited, finalizes }: Below, row: ExecutionRow): Array<ExecutionRow> {
  if (row.parentTask?.isFinalizeTask === true) {
    return finalizes
  }
  return isAwaitedChild(row) ? awaited : children
}

/** What can be said of a row by itself. */
function checkAlone(row: ExecutionRow, report: Report): void {
  const isFinished = isFinishedStatus(row.status)
  if ((row.expiresAt !== undefined) !== (row.status === 'running')) {
    report('S3', `it is ${row.status} ${row.expiresAt === undefined ? 'without' : 'with'} expiresAt`)
  }
  if ((row.finishedAt !== undefined) !== isFinished) {
    report('S1', `it is ${row.status} ${row.finishedAt === undefined ? 'without' : 'with'} finishedAt`)
  }
  if (row.finishedAt !== undefined && row.startedAt !== undefined && row.finishedAt < row.startedAt) {
    report('S1', 'it finished before it started')
  }
  if ((row.output !== undefined) !== (row.status === 'completed')) {
    report('S6', `it is ${row.status} ${row.output === undefined ? 'without' : 'with'} an output`)
  }
  if (row.isClosed && !isFinished) {
    report('S2', `it is closed and ${row.status}`)
  }
}

/** What can be said of a row and its parent. */
function checkPlace(row: ExecutionRow, byId: ReadonlyMap<string, ExecutionRow>, report: Report): void {
  const parent = row.parentTask === undefined ? undefined : byId.get(row.parentTask.executionId)
  if (row.parentTask === undefined || parent === undefined) {
    return
  }
  if (isCompensation(row)) {
    if (!(endedBadly(parent) && parent.isClosed)) {
      report('S13', `it undoes what ${parent.executionId} did, which is ${parent.status}`)
    }
    return
  }
  if (row.parentTask.isFinalizeTask === true) {
    if (parent.finalizeTask?.executionId !== row.executionId) {
      report('S10', `it is not the finalize execution of ${parent.executionId}`)
    }
  } else if (!isListed(row, parent)) {
    report('S8', `${parent.executionId} does not list it among its children`)
  }
  const isToBeCancelled = endedBadly(parent) || (isAwaitedChild(row) && isFinishedStatus(parent.status))
  // Only once it is closed, and if it did not tell its parent: else it may be a task that threw such a message itself.
  const isTold = (parent.childrenTasksErrors ?? []).some((error) => error.executionId === row.executionId)
  if (row.isClosed && wasCancelledByParent(row) && !isToBeCancelled && !isTold) {
    report('S12', `it was cancelled by ${parent.executionId}, which is ${parent.status}`)
  }
}

function isListed(row: ExecutionRow, parent: ExecutionRow): boolean {
  return (
    (parent.childrenTasks ?? []).some((child) => child.executionId === row.executionId) ||
    // The list of those that it returned takes the place of those that its code has awaited.
    (isAwaitedChild(row) && row.isClosed && !isBeforeChildren(parent))
  )
}

function isBeforeChildren({ status }: ExecutionRow): boolean {
  return status === 'ready' || status === 'running'
}

function checkChildren(row: ExecutionRow, below: Below, tolerated: number, report: Report): void {
  const { children, awaited, finalizes } = below
  if (isBeforeChildren(row) && (children.length > 0 || finalizes.length > 0)) {
    report('S8', `it is ${row.status} and has rows below it`)
  }
  const listed = row.childrenTasks ?? []
  if (row.status === 'waiting_for_children_tasks' && (listed.length === 0 || !isAllThere(listed, children))) {
    report('S8', `it waits for ${listed.length} children, and ${children.length} are there`)
  }
  const atWork = row.status.startsWith('waiting') ? awaited.find((child) => !child.isClosed) : undefined
  if (atWork !== undefined) {
    report('S8', `it is ${row.status}, and ${atWork.executionId}, which its code started, is open`)
  }
  const done = children.filter((child) => child.status === 'completed' && child.isClosed).length
  if (row.childrenTasksCompletedCount !== done) {
    report('S9', `it counted ${row.childrenTasksCompletedCount} children, ${done} are completed and closed`)
  }
  if (finalizes.length > 1) {
    report('S10', `it has ${finalizes.length} finalize executions`)
  }
  const failed = children.filter((child) => child.isClosed && endedBadly(child)).length
  const { childrenTasksFailedCount = failed } = row
  if (!endedBadly(row) && childrenTasksFailedCount !== failed) {
    report(
      'S9',
      `it counted ${childrenTasksFailedCount} failed children, ${failed} have failed and are closed`,
    )
  }
  const ended = failed > tolerated ? done : done + failed
  if (finalizes.length > 0 && ended < listed.length) {
    report('S11', `it has a finalize execution, and only ${ended} of ${listed.length} children are done`)
  }
}

function isAllThere(
  listed: ReadonlyArray<{ executionId: string }>,
  children: ReadonlyArray<ExecutionRow>,
): boolean {
  const ids = new Set(children.map((child) => child.executionId))
  return listed.length === ids.size && listed.every((child) => ids.has(child.executionId))
}

/** No row above an active one is closed, but for what is undone below it. */
function checkNothingClosedAbove(
  active: ExecutionRow,
  byId: ReadonlyMap<string, ExecutionRow>,
  violations: Array<Violation>,
): void {
  let above = isCompensation(active) ? undefined : active.parentTask
  // Rows that are damaged may go round in a circle.
  for (let steps = 0; above !== undefined && steps < byId.size; steps += 1) {
    const row = byId.get(above.executionId)
    if (row?.isClosed === true) {
      const { executionId } = row
      const sentence = `it is closed, and ${active.executionId} below it is ${active.status}`
      violations.push({ invariant: 'S13', executionId, sentence })
      return
    }
    above = row === undefined || isCompensation(row) ? undefined : row.parentTask
  }
}
