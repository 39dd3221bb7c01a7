/** What must hold of the end of a row that waits, or waited, for others. */

import { LIMITS } from '../base/limits.ts'
import { type ExecutionRow } from './execution.ts'
import { type Report } from './invariants.ts'
import { endedBadly, wasCancelledByParent } from './parent.ts'

/** What became of a row that waits, or waited, for others must follow from them. */
export function checkOutcome(
  row: ExecutionRow,
  { children, finalizes }: { children: ReadonlyArray<ExecutionRow>; finalizes: ReadonlyArray<ExecutionRow> },
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
    case 'timed_out':
      if (children.length > 0 || finalize !== undefined) {
        checkDeadline(row, reported.length > 0 || (finalize !== undefined && endedBadly(finalize)), report)
      }
      return
    default:
      return
  }
}

function checkDeadline(row: ExecutionRow, hasCause: boolean, report: Report): void {
  if (row.deadlineAt === undefined) {
    report('S12', 'it timed out while it waited, and has no deadline')
  }
  if (!hasCause) {
    report('S12', 'it timed out while it waited, and nothing below it ended badly')
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
