/** Which cells of the table an exploration took: (status, event, resulting status), read off the rows. */

import { type EventKind, type ExecutionEvent } from '../../machine/event.ts'
import { type ExecutionRow } from '../../machine/execution.ts'
import { ALL_STATUSES, type DurableTaskExecutionStatusStorageObject as Status } from '../../machine/status.ts'
import { wasCancelledByParent } from '../../machine/parent.ts'
import { isAwaitedChild } from '../../machine/records.ts'
import { TRANSITIONS } from '../../machine/table.ts'

/** How often each kind was taken. */
export type Kinds = Map<string, number>

type Rows = ReadonlyMap<string, ExecutionRow>

/** Names a kind. */
function kindOf(from: Status, event: EventKind, to: Status): string {
  return `${from} ${event} ${to}`
}

/** Every kind that the table allows. */
export function allKinds(): Array<string> {
  return ALL_STATUSES.flatMap((from) =>
    Object.entries(TRANSITIONS[from]).flatMap(([event, cell]) =>
      'to' in cell ? cell.to.map((to) => kindOf(from, event as EventKind, to)) : [],
    ),
  )
}

/** Counts what one step took. */
export function recordKinds(
  kinds: Kinds,
  before: Rows,
  after: Rows,
  accepted: ReadonlyArray<ExecutionEvent>,
): void {
  if (before === after || accepted.length === 0) {
    return
  }
  for (const { kind, executionId } of accepted) {
    if (kind !== 'closed') {
      count(kinds, before.get(executionId)?.status, kind, after.get(executionId)?.status)
    }
  }
  const closed = [...after.values()].filter(
    (row) => row.isClosed && before.get(row.executionId)?.isClosed === false,
  )
  for (const row of closed) {
    count(kinds, row.status, 'closed', row.status)
    const parentId = row.parentTask?.executionId
    // What two of them did to one parent, or one and its own run, cannot be told apart afterwards.
    const isOnlyOne =
      closed.filter((other) => other.parentTask?.executionId === parentId).length === 1 &&
      !accepted.some((event) => event.executionId === parentId)
    if (parentId !== undefined && isOnlyOne && !wasCancelledByParent(row)) {
      count(kinds, before.get(parentId)?.status, newsOf(row), after.get(parentId)?.status)
    }
  }
}

function newsOf(row: ExecutionRow): EventKind {
  if (isAwaitedChild(row)) {
    return 'awaited_ended'
  }
  const isCompleted = row.status === 'completed'
  if (row.parentTask?.isFinalizeTask === true) {
    return isCompleted ? 'finalize_completed' : 'finalize_failed'
  }
  return isCompleted ? 'child_completed' : 'child_failed'
}

function count(kinds: Kinds, from: Status | undefined, event: EventKind, to: Status | undefined): void {
  if (from !== undefined && to !== undefined) {
    const kind = kindOf(from, event, to)
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
  }
}
