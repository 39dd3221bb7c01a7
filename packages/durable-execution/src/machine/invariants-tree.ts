/** What must hold of all rows of a storage at any moment. */

import { LIMITS } from '../base/limits.ts'
import { type ExecutionRow, isFinishedStatus } from './execution.ts'
import { type InvariantId, type Violation } from './invariants.ts'
import { endedBadly, wasCancelledByParent } from './parent.ts'

type Report = (invariant: InvariantId, sentence: string) => void

/** How many children of a task's executions may end badly before those do. */
export type Tolerance = (taskId: string) => number

/** What is below one row. */
type Below = { children: Array<ExecutionRow>; finalizes: Array<ExecutionRow> }

const NOTHING_BELOW: Below = { children: [], finalizes: [] }

/** All that is wrong with the rows. */
export function checkTree(rows: Iterable<ExecutionRow>, toleratedFailures: Tolerance): Array<Violation> {
  const violations: Array<Violation> = []
  const byId = new Map<string, ExecutionRow>()
  for (const row of rows) {
    byId.set(row.executionId, row)
  }
  const below = groupByParent(byId)
  for (const row of byId.values()) {
    const { executionId } = row
    const report: Report = (invariant, sentence) => violations.push({ invariant, executionId, sentence })
    checkAlone(row, report)
    checkPlace(row, byId, report)
    const tolerated = toleratedFailures(row.taskId)
    checkChildren(row, below.get(executionId) ?? NOTHING_BELOW, tolerated, report)
    checkOutcome(row, below.get(executionId) ?? NOTHING_BELOW, tolerated, report)
    if (row.isClosed && endedBadly(row)) {
      checkNothingActive(row, below, report)
    }
  }
  return violations
}

function groupByParent(byId: ReadonlyMap<string, ExecutionRow>): Map<string, Below> {
  const groups = new Map<string, Below>()
  for (const row of byId.values()) {
    if (row.parentTask !== undefined) {
      const group = groups.get(row.parentTask.executionId) ?? { children: [], finalizes: [] }
      groups.set(row.parentTask.executionId, group)
      ;(row.parentTask.isFinalizeTask === true ? group.finalizes : group.children).push(row)
    }
  }
  return groups
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
  if (row.parentTask.isFinalizeTask === true) {
    if (parent.finalizeTask?.executionId !== row.executionId) {
      report('S10', `it is not the finalize execution of ${parent.executionId}`)
    }
  } else if (!(parent.childrenTasks ?? []).some((child) => child.executionId === row.executionId)) {
    report('S8', `${parent.executionId} does not list it among its children`)
  }
  // Only once it is closed, and if it did not tell its parent: else it may be a task that threw such a message itself.
  const isTold = (parent.childrenTasksErrors ?? []).some((error) => error.executionId === row.executionId)
  if (row.isClosed && wasCancelledByParent(row) && !endedBadly(parent) && !isTold) {
    report('S12', `it was cancelled by ${parent.executionId}, which is ${parent.status}`)
  }
}

function checkChildren(row: ExecutionRow, below: Below, tolerated: number, report: Report): void {
  const { children, finalizes } = below
  const isBeforeChildren = row.status === 'ready' || row.status === 'running'
  if (isBeforeChildren && (children.length > 0 || finalizes.length > 0)) {
    report('S8', `it is ${row.status} and has rows below it`)
  }
  const listed = row.childrenTasks ?? []
  if (row.status === 'waiting_for_children_tasks' && (listed.length === 0 || !isAllThere(listed, children))) {
    report('S8', `it waits for ${listed.length} children, and ${children.length} are there`)
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

/** What became of a row that waits, or waited, for others must follow from them. */
function checkOutcome(
  row: ExecutionRow,
  { children, finalizes }: Below,
  tolerated: number,
  report: Report,
): void {
  const finalize = finalizes[0]
  const reported = children.filter(
    (child) => child.isClosed && endedBadly(child) && !wasCancelledByParent(child),
  )
  switch (row.status) {
    case 'waiting_for_children_tasks': {
      const isTooMuch = reported.length > tolerated
      if (isTooMuch) {
        report('S12', 'it still waits for children, though one that ended badly is closed')
      }
      const ended = row.childrenTasksCompletedCount + (isTooMuch ? 0 : reported.length)
      if (ended >= children.length && children.length > 0) {
        report('S12', 'it still waits for children, and all are done')
      }
      if (tolerated > 0) {
        checkErrorsNamed(row, reported, report)
      }
      return
    }
    case 'waiting_for_finalize_task':
      if (finalize === undefined || finalize.isClosed) {
        report('S12', `it waits for a finalize execution that ${finalize ? 'is closed' : 'is not there'}`)
      }
      return
    case 'completed':
      if (!children.every((child) => child.isClosed) || children.filter(endedBadly).length > tolerated) {
        report('S12', 'it is completed, and not all of its children are')
      }
      if (row.finalizeTask !== undefined && finalize?.status !== 'completed') {
        report('S12', 'it is completed, and its finalize execution is not')
      }
      return
    case 'children_tasks_failed':
      checkChildrenErrors(row, children, reported, tolerated, report)
      return
    case 'finalize_task_failed':
      if (finalize === undefined || !endedBadly(finalize) || row.finalizeTaskError === undefined) {
        report('S12', 'it says that its finalize execution failed, which it did not')
      }
      return
    default:
      return
  }
}

function checkChildrenErrors(
  row: ExecutionRow,
  children: ReadonlyArray<ExecutionRow>,
  reported: ReadonlyArray<ExecutionRow>,
  tolerated: number,
  report: Report,
): void {
  const errors = row.childrenTasksErrors ?? []
  const named = new Set(errors.map((error) => error.executionId))
  if (errors.length === 0 && row.error === undefined) {
    report('S12', 'it says that children failed, and names none')
  }
  if (named.size < errors.length || errors.length > LIMITS.childrenErrorsKept) {
    report('S12', `it names ${named.size} children in ${errors.length} errors`)
  }
  if (errors.some((error) => !children.some((child) => child.executionId === error.executionId))) {
    report('S12', 'it names a child that it does not have')
  }
  // As many as end a parent may be tasks that threw such a message themselves.
  const later = new Set(errors.slice(1 + tolerated).map((error) => error.executionId))
  if (
    children.some((child) => later.has(child.executionId) && child.isClosed && wasCancelledByParent(child))
  ) {
    report('S12', 'it names a child that was cancelled since it had ended itself')
  }
  const failed = children.filter(endedBadly).length
  if (failed <= tolerated && row.error === undefined && errors.every((error) => isFailed(error, children))) {
    report('S12', `it says that children failed, and only ${failed} did, of ${tolerated} that may`)
  }
  checkErrorsNamed(row, reported, report)
}

function isFailed({ executionId }: { executionId: string }, children: ReadonlyArray<ExecutionRow>): boolean {
  const child = children.find((one) => one.executionId === executionId)
  return child !== undefined && endedBadly(child)
}

/** The errors of children are there, as far as there is room for them. */
function checkErrorsNamed(row: ExecutionRow, reported: ReadonlyArray<ExecutionRow>, report: Report): void {
  const errors = row.childrenTasksErrors ?? []
  const named = new Set(errors.map((error) => error.executionId))
  if (errors.length < LIMITS.childrenErrorsKept && !reported.every((child) => named.has(child.executionId))) {
    report('S12', 'the error of a child that is closed is missing')
  }
}

function checkNothingActive(top: ExecutionRow, below: ReadonlyMap<string, Below>, report: Report): void {
  const queue = [top.executionId]
  for (const executionId of queue) {
    const { children, finalizes } = below.get(executionId) ?? NOTHING_BELOW
    for (const row of [...children, ...finalizes]) {
      if (!isFinishedStatus(row.status)) {
        report('S13', `it is closed and ended badly, and ${row.executionId} below it is ${row.status}`)
      }
      queue.push(row.executionId)
    }
  }
}
