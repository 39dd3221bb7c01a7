/**
 * What must hold of every world and of every step, as predicates over plain rows: the promises of
 * the engine in a form that a program can check. Nobody needs them to run tasks; the explorer, the
 * simulator and the suites of the storages ask them.
 */

import { type Millis } from '../base/clock.ts'
import { type ExecutionEvent, type Lease } from './event.ts'
import { type ExecutionRow } from './execution.ts'
import { type ExecutionHistory } from './history.ts'
import { checkNewRecord, checkStepOfRecord } from './invariants-durable.ts'
import { checkStepOfRow } from './invariants-step.ts'
import { checkTree, type WorldFacts } from './invariants-tree.ts'
import { isRecord } from './records.ts'

/** The promises that speak of executions, by the number they are published under. */
export type InvariantId =
  | 'S1'
  | 'S2'
  | 'S3'
  | 'S4'
  | 'S5'
  | 'S6'
  | 'S7'
  | 'S8'
  | 'S9'
  | 'S10'
  | 'S11'
  | 'S12'
  | 'S13'
  | 'S14'
  | 'S15'
  | 'S16'
  | 'S21'
  | 'S22'

/** Each promise in a sentence. */
export const INVARIANTS: Record<InvariantId, string> = {
  S1: "a finished row's status, output, error and finishedAt never change",
  S2: 'only the transitions of the table',
  S3: 'expiresAt is set exactly while running',
  S4: 'an outcome, and a renewal, is written only by the lease that held the row',
  S5: "a claim's startedAt is later than that of every earlier claim of the row, its leaseId never seen before",
  S6: 'at most one accepted outcome for each execution',
  S7: 'starts ≤ 1 + retries + losses + releases + suspensions; each lease starts user code at most once, after its claim has committed; losses and retries are counted as what they are, and retries are those that the options allow',
  S8: 'a row that waits for children has all of them, and no others at work; a row that is ready or running has none but those that its code awaits; a child is in the list of its parent',
  S9: 'childrenTasksCompletedCount is the number of returned children completed and closed; where failures are tolerated childrenTasksFailedCount is that of those that ended badly',
  S10: 'at most one finalize execution for each parent',
  S11: 'no finalize execution before the children it waits for have ended, as its parent asks of them, and are closed',
  S12: "a parent's outcome follows from its children and its finalize task",
  S13: 'below a closed row nothing is active',
  S14: 'once cancel has cancelled a row, it is never completed',
  S15: 'nothing runs before its startAt',
  S16: 'every row that was there is there',
  S21: 'what an execution waits for and has come makes it due; it waits for children that have not ended; it says what it waits for only while it is ready or running',
  S22: 'a record is written once, finished and closed, under the lease of its execution, or as a signal to one that is active; only the state changes',
}

/** A promise that was broken, and where. */
export type Violation = { invariant: InvariantId; executionId: string; sentence: string }

/** Tells of something that is wrong. */
export type Report = (invariant: InvariantId, sentence: string) => void

/** What checking a step needs to know beside the rows. */
export type StepContext = {
  now: Millis
  /** The events that the transaction accepted, as they were asked for. */
  events: ReadonlyArray<ExecutionEvent>
  /** What had been counted before the step. */
  history: ReadonlyMap<string, ExecutionHistory>
}

/**
 * Checks all rows of a storage as they are at one moment. `rows` must be whole trees.
 *
 * @param facts - What the rows themselves do not say.
 */
export function checkWorld(rows: Iterable<ExecutionRow>, facts: WorldFacts = {}): Array<Violation> {
  return checkTree(rows, facts)
}

/** Checks what one transaction did. Rows that were not touched may be the same objects, and cost nothing. */
export function checkStep(
  before: ReadonlyMap<string, ExecutionRow>,
  after: ReadonlyMap<string, ExecutionRow>,
  context: StepContext,
): Array<Violation> {
  const violations: Array<Violation> = []
  for (const [executionId, row] of before) {
    const next = after.get(executionId)
    if (next === undefined) {
      violations.push({ invariant: 'S16', executionId, sentence: 'the row disappeared' })
    } else if (isRecord(row)) {
      if (next !== row) {
        checkStepOfRecord(row, next, reportTo(violations, executionId))
      }
    } else if (next !== row || context.events.some((event) => event.executionId === executionId)) {
      checkStepOfRow(row, next, context, violations)
    }
  }
  if (after.size > before.size) {
    for (const [executionId, row] of after) {
      if (before.has(executionId)) {
        continue
      }
      if (isRecord(row)) {
        checkNewRecord(row, before, context.events, reportTo(violations, executionId))
      } else if (row.status !== 'ready' && row.status !== 'running') {
        violations.push({ invariant: 'S2', executionId, sentence: `a new row is ${row.status}` })
      }
    }
  }
  return violations
}

function reportTo(
  violations: Array<Violation>,
  executionId: string,
): (invariant: InvariantId, sentence: string) => void {
  return (invariant, sentence) => violations.push({ invariant, executionId, sentence })
}

/**
 * Checks what was counted against the rows. `maxLosses` is given where the storage counts losses.
 */
export function checkHistory(
  rows: ReadonlyMap<string, ExecutionRow>,
  history: ReadonlyMap<string, ExecutionHistory>,
  { maxLosses }: { maxLosses?: number | undefined } = {},
): Array<Violation> {
  const violations: Array<Violation> = []
  for (const [executionId, counted] of history) {
    const row = rows.get(executionId)
    if (counted.outcomes > 1) {
      const sentence = `${counted.outcomes} outcomes were accepted`
      violations.push({ invariant: 'S6', executionId, sentence })
    }
    for (const sentence of wrongStarts(counted)) {
      violations.push({ invariant: 'S7', executionId, sentence })
    }
    for (const sentence of row === undefined ? [] : wrongCounts(row, counted, maxLosses)) {
      violations.push({ invariant: 'S7', executionId, sentence })
    }
  }
  return violations
}

function* wrongStarts(counted: ExecutionHistory): Generator<string> {
  const { claims, starts, retries, losses, releases, suspensions } = counted
  const allowed = 1 + retries + losses + releases + suspensions
  if (starts.length > allowed) {
    yield `user code started ${starts.length} times, ${allowed} can be explained`
  }
  for (const [index, start] of starts.entries()) {
    if (!claims.some((claim) => isSameLease(claim, start))) {
      yield `user code started under ${start.leaseId}, a claim that was not committed`
    }
    if (starts.findIndex((other) => isSameLease(other, start)) !== index) {
      yield `user code started twice under ${start.leaseId}`
    }
  }
}

function* wrongCounts(
  row: ExecutionRow,
  counted: ExecutionHistory,
  maxLosses: number | undefined,
): Generator<string> {
  if (row.retryAttempts !== counted.retries) {
    yield `retryAttempts is ${row.retryAttempts} after ${counted.retries} retries`
  }
  if (counted.retries > row.retryOptions.maxAttempts) {
    yield `it was retried ${counted.retries} times, and may be ${row.retryOptions.maxAttempts} times`
  }
  if (maxLosses === undefined) {
    return
  }
  if ((row.losses ?? 0) !== counted.lossesInARow) {
    yield `losses is ${row.losses ?? 0} after ${counted.lossesInARow} losses in a row`
  }
  if (counted.lossesInARow > maxLosses) {
    yield `it was lost ${counted.lossesInARow} times in a row, more than ${maxLosses}`
  }
}

function isSameLease(one: Lease, other: Lease): boolean {
  return one.startedAt.getTime() === other.startedAt.getTime() && one.leaseId === other.leaseId
}
