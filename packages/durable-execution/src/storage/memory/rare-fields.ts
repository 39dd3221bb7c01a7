/** What only parents, suspended executions and those that ended badly have: all others share one object that says so. */

import { type ExecutionRow, type ExecutionUpdate } from '../../machine/execution.ts'
import { copyOf } from './copies.ts'

/** The names of these fields. */
export type RareName =
  | 'childrenTasksCompletedCount'
  | 'childrenTasks'
  | 'childrenTasksErrors'
  | 'childrenTasksCount'
  | 'childrenTasksFailedCount'
  | 'finalizeTask'
  | 'finalizeTaskError'
  | 'error'
  | 'suspendedFor'
  | 'hasCompensations'

/** These fields, each of them there, if only as `undefined`. The object is never changed, only replaced. */
export type RareFields = { readonly [Name in RareName]: ExecutionRow[Name] }

/** A change of these fields. What is `undefined` stays as it is. */
export type RareChange = { readonly [Name in RareName]: ExecutionUpdate[Name] }

const NONE: RareFields = {
  childrenTasksCompletedCount: 0,
  childrenTasks: undefined,
  childrenTasksErrors: undefined,
  childrenTasksCount: undefined,
  childrenTasksFailedCount: undefined,
  finalizeTask: undefined,
  finalizeTaskError: undefined,
  error: undefined,
  suspendedFor: undefined,
  hasCompensations: undefined,
}

/** Copies these fields of a caller's row. */
export function keepRare(row: ExecutionRow): RareFields {
  return row.childrenTasksCompletedCount !== 0 || saysMore(row)
    ? { ...copiesOf(row), childrenTasksCompletedCount: row.childrenTasksCompletedCount }
    : NONE
}

/** Copies these fields of a caller's update; undefined if it has none of them. */
export function keepRareChange(update: ExecutionUpdate): RareChange | undefined {
  return update.childrenTasksCompletedCount !== undefined || saysMore(update) ? copiesOf(update) : undefined
}

/** The fields as the change leaves them. `isErrorOver` takes the error away. */
export function changeRare(
  rare: RareFields,
  change: RareChange | undefined,
  isErrorOver: boolean,
): RareFields {
  if (change === undefined) {
    return isErrorOver && rare.error !== undefined ? { ...rare, error: undefined } : rare
  }
  return {
    childrenTasksCompletedCount: change.childrenTasksCompletedCount ?? rare.childrenTasksCompletedCount,
    childrenTasks: change.childrenTasks ?? rare.childrenTasks,
    childrenTasksErrors: change.childrenTasksErrors ?? rare.childrenTasksErrors,
    childrenTasksCount: change.childrenTasksCount ?? rare.childrenTasksCount,
    childrenTasksFailedCount: change.childrenTasksFailedCount ?? rare.childrenTasksFailedCount,
    finalizeTask: change.finalizeTask ?? rare.finalizeTask,
    finalizeTaskError: change.finalizeTaskError ?? rare.finalizeTaskError,
    error: isErrorOver ? undefined : (change.error ?? rare.error),
    suspendedFor: change.suspendedFor ?? rare.suspendedFor,
    hasCompensations: change.hasCompensations ?? rare.hasCompensations,
  }
}

/** Whether there is one of these fields beside the count, which every row has. */
function saysMore(given: ExecutionRow | ExecutionUpdate): boolean {
  return (
    given.childrenTasks !== undefined ||
    given.childrenTasksErrors !== undefined ||
    given.childrenTasksCount !== undefined ||
    given.childrenTasksFailedCount !== undefined ||
    given.finalizeTask !== undefined ||
    given.finalizeTaskError !== undefined ||
    given.error !== undefined ||
    given.suspendedFor !== undefined ||
    given.hasCompensations !== undefined
  )
}

function copiesOf(given: ExecutionRow | ExecutionUpdate): RareChange {
  return {
    childrenTasksCompletedCount: given.childrenTasksCompletedCount,
    childrenTasks: copyOf(given.childrenTasks),
    childrenTasksErrors: copyOf(given.childrenTasksErrors),
    childrenTasksCount: given.childrenTasksCount,
    childrenTasksFailedCount: given.childrenTasksFailedCount,
    finalizeTask: copyOf(given.finalizeTask),
    finalizeTaskError: copyOf(given.finalizeTaskError),
    error: copyOf(given.error),
    suspendedFor: copyOf(given.suspendedFor),
    hasCompensations: given.hasCompensations,
  }
}
