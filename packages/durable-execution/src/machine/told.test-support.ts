/** Steps of one row, and violations as the explorer tells them. */

import { type ExecutionEvent } from './event.ts'
import { type ExecutionRow } from './execution.ts'
import { type ExecutionHistory, historyOf } from './history.ts'
import { checkStep, type Violation } from './invariants.ts'
import { NOW } from './rows.test-support.ts'

/** Each violation in a line. */
export function told(violations: ReadonlyArray<Violation>): Array<string> {
  return violations.map(
    ({ invariant, executionId, sentence }) => `${invariant} at ${executionId}: ${sentence}`,
  )
}

/** Rows by their ids. */
export function at(...rows: Array<ExecutionRow>): ReadonlyMap<string, ExecutionRow> {
  return new Map(rows.map((row) => [row.executionId, row]))
}

/** What is wrong with the step of one row, of which so much had been counted before. */
export function stepFrom(
  before: ExecutionRow,
  after: ExecutionRow,
  events: ReadonlyArray<ExecutionEvent>,
  history: Partial<ExecutionHistory> = {},
): Array<Violation> {
  const counted = new Map([[before.executionId, { ...historyOf(new Map(), before.executionId), ...history }]])
  return checkStep(at(before), at(after), { now: NOW, events, history: counted })
}
