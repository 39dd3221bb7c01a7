/** What must be true when everything has come to its end. */

import { type Millis } from '../../base/clock.ts'
import { createDefaultSerializer } from '../../base/serializer.ts'
import { type ExecutionRow } from '../../machine/execution.ts'
import { isFinishedStatus } from '../../machine/status.ts'
import { type SimViolation } from './observer.ts'
import { numberOf } from './sim-tasks.ts'
import { expectedOf, type Work } from './work.ts'

/** What the clients of a simulation know. */
export type Witness = {
  /** Executions whose enqueue was acknowledged. */
  acknowledged: ReadonlySet<string>
  /** Executions that somebody asked to be cancelled. */
  cancelAsked: ReadonlySet<string>
  /** Roots of trees in which somebody cancelled something else. */
  cancelledBelow: ReadonlySet<string>
  /** What cancels answered, by execution; undefined where the answer did not come. */
  cancelAnswers: ReadonlyMap<string, ReadonlyArray<boolean | undefined>>
  /** How far the clocks of executors may be off. */
  toleranceMs: Millis
}

// What only a storage says, or an engine that could not write what its rules say; never an error of a task.
const OF_STORAGE =
  /Outcome could not be stored|simulated storage fault|No space left|deadlock detected|could not serialize|did not answer within/

const serializer = createDefaultSerializer()

/** All that is wrong with the rows in the end. */
export function judge(rows: ReadonlyMap<string, ExecutionRow>, witness: Witness): Array<SimViolation> {
  const violations: Array<SimViolation> = []
  for (const executionId of witness.acknowledged) {
    if (!rows.has(executionId)) {
      violations.push({ invariant: 'S16', executionId, sentence: 'it was acknowledged, and is not there' })
    }
  }
  for (const [executionId, answers] of witness.cancelAnswers) {
    // A root may end cancelled, too, as what was cancelled below it did.
    const all = witness.cancelledBelow.has(executionId) ? [...answers, undefined] : answers
    const wrong = wrongAnswer(rows.get(executionId), all)
    violations.push(
      ...(wrong === undefined ? [] : [{ invariant: 'result' as const, executionId, sentence: wrong }]),
    )
  }
  const troubled = {
    lost: rootsWith(rows, ({ error }) => error?.message.startsWith('Task lost ') === true),
    late: rootsWith(rows, ({ error }) => error?.message.startsWith('Task deadline exceeded') === true),
  }
  for (const row of rows.values()) {
    const { executionId, error } = row
    if (error !== undefined && OF_STORAGE.test(error.message)) {
      violations.push({ invariant: 'S20', executionId, sentence: `it is ${row.status}: ${error.message}` })
    }
    if (row.parentTask === undefined) {
      const wrong = wrongEnd(row, witness, troubled)
      violations.push(
        ...(wrong === undefined ? [] : [{ invariant: 'result' as const, executionId, sentence: wrong }]),
      )
    }
  }
  return violations
}

/** The rows that are not at their end, in a line each. */
export function unsettled(rows: Iterable<ExecutionRow>): Array<string> {
  return [...rows]
    .filter((row) => !isFinishedStatus(row.status) || !row.isClosed)
    .map(
      ({ executionId, taskId, status, isClosed }) =>
        `${executionId} (${taskId}) is ${status}, ${isClosed ? 'closed' : 'open'}`,
    )
}

/** Roots of trees in which something came to an end of its own: lost too often, or over its deadline. */
type Troubled = { lost: ReadonlySet<string>; late: ReadonlySet<string> }

function wrongEnd(
  row: ExecutionRow,
  { cancelAsked, cancelledBelow, toleranceMs }: Witness,
  { lost, late }: Troubled,
): string | undefined {
  const { executionId, status, error, deadlineAt } = row
  const expected = expectedOf(serializer.deserialize<Work>(row.runInput))
  // Code may go on without a child that was lost, or came too late.
  const isTroubled = lost.has(executionId) || late.has(executionId) || cancelledBelow.has(executionId)
  if (status === 'completed') {
    const output = numberOf(serializer.deserialize(row.output ?? 'null'))
    return output === expected || isTroubled
      ? undefined
      : `it gave ${output}, and ${expected} was to be expected`
  }
  const isEarly = (row.finishedAt?.getTime() ?? 0) < (deadlineAt?.getTime() ?? 0) - toleranceMs
  const isExplained = expected === undefined || cancelAsked.has(executionId) || isTroubled
  return isExplained && !(isEarly && error?.message.startsWith('Task deadline exceeded') === true)
    ? undefined
    : `it is ${status}, and nobody cancelled or lost anything: ${error?.message}`
}

/** Cancels say whether it was they who cancelled the row; of a root, nobody else can have been. */
function wrongAnswer(
  row: ExecutionRow | undefined,
  answers: ReadonlyArray<boolean | undefined>,
): string | undefined {
  if (answers.includes(true) && row?.status !== 'cancelled') {
    return `a cancel said that it had cancelled it, and it is ${row?.status}`
  }
  return row?.status === 'cancelled' && answers.every((answer) => answer === false)
    ? 'each cancel said that it had not cancelled it, and it is cancelled'
    : undefined
}

/** The roots of trees in which there is such a row. */
function rootsWith(
  rows: ReadonlyMap<string, ExecutionRow>,
  isSuch: (row: ExecutionRow) => boolean,
): Set<string> {
  const such = [...rows.values()].filter(isSuch)
  return new Set(such.map(({ rootTask, executionId }) => rootTask?.executionId ?? executionId))
}
