/** What must hold of the rows of a round that is over. */

import { isDeepStrictEqual } from 'node:util'

import { createDefaultSerializer } from '../../../src/index.ts'
import { type ExecutionRow, isFinishedStatus } from '../../../src/machine/execution.ts'
import { checkWorld } from '../../../src/machine/invariants.ts'
import { type Evidence, type Report, type Sighting } from './check.ts'
import { expectedEnd } from './expected.ts'

const serializer = createDefaultSerializer()

/** Every acknowledged enqueue is there, and everything has ended and is closed. */
export function checkLosses({ rows, acknowledged }: Evidence, report: Report): void {
  const byId = rowsById(rows)
  for (const { executionId, taskId, input } of acknowledged) {
    const row = byId.get(executionId)
    if (row === undefined) {
      report('nothing is lost', executionId, `its enqueue was acknowledged, and it is not there`)
    } else if (row.taskId !== taskId || serializer.deserialize(row.runInput) !== input) {
      report('nothing is lost', executionId, `it is not what was enqueued: ${row.taskId} of ${row.runInput}`)
    }
  }
  for (const row of rows) {
    if (!isFinishedStatus(row.status)) {
      report('nothing is stuck', row.executionId, `${row.taskId} is still ${row.status}`)
    } else if (!row.isClosed) {
      report('nothing is stuck', row.executionId, `${row.taskId} is ${row.status} and not closed`)
    }
  }
}

/** What was seen finished is as it was, and no id is there twice. */
export function checkOutcomes({ rows, sightings }: Evidence, report: Report): void {
  const byId = rowsById(rows)
  if (byId.size < rows.length) {
    report('one outcome', '', `${rows.length - byId.size} ids are there more than once`)
  }
  for (const sighting of sightings) {
    const { executionId } = sighting
    const row = byId.get(executionId)
    if (row === undefined) {
      report('nothing is lost', executionId, `it was ${sighting.status}, and is not there any more`)
      continue
    }
    const [seen, now] = [outcomeOf(sighting), outcomeOf(row)]
    if (!isDeepStrictEqual(seen, now)) {
      report('one outcome', executionId, `it was ${JSON.stringify(seen)}, then ${JSON.stringify(now)}`)
    }
  }
}

// Field by field, since one that is undefined and one that is not there are the same.
function outcomeOf(seen: Sighting | ExecutionRow): Omit<Sighting, 'executionId'> {
  const { status, output, error, finishedAt } = seen
  return { status, output, error, finishedAt }
}

/** What checkWorld asks, and one finalize execution for each parent that needed one. */
export function checkTrees({ rows }: Evidence, report: Report): void {
  for (const { invariant, executionId, sentence } of checkWorld(rows)) {
    report('the rows agree with each other', executionId, `${invariant}: ${sentence}`)
  }
  const finalizes = new Map<string, number>()
  for (const { parentTask } of rows) {
    if (parentTask?.isFinalizeTask === true) {
      finalizes.set(parentTask.executionId, (finalizes.get(parentTask.executionId) ?? 0) + 1)
    }
  }
  for (const { executionId, taskId, status, childrenTasks } of rows) {
    const count = finalizes.get(executionId) ?? 0
    // All parents here have a finalize task.
    const isDue = status === 'finalize_task_failed' || (status === 'completed' && childrenTasks !== undefined)
    if (count > 1 || (isDue && count === 0)) {
      report('each parent is finalized once', executionId, `${taskId} has ${count} finalize executions`)
    }
  }
}

/** A cancel that said so has cancelled; one that did not was too late; and nothing else is cancelled. */
export function checkCancels({ rows, cancels }: Evidence, report: Report): void {
  const byId = rowsById(rows)
  const answers = new Map(cancels.map(({ executionId, hasCancelled }) => [executionId, hasCancelled]))
  for (const [executionId, hasCancelled] of answers) {
    const status = byId.get(executionId)?.status
    if (hasCancelled && status !== 'cancelled') {
      report('cancel sticks', executionId, `cancel said that it cancelled, and it is ${status}`)
    }
  }
  for (const row of rows) {
    if (row.status === 'cancelled' && answers.get(row.executionId) !== true) {
      const parent = byId.get(row.parentTask?.executionId ?? '')
      if (parent === undefined || parent.status === 'completed') {
        report('cancel sticks', row.executionId, `${row.taskId} is cancelled, and nobody cancelled it`)
      }
    }
  }
}

/** Everything that was not cancelled has ended as its input says, with that output. */
export function checkEnds({ rows }: Evidence, report: Report): void {
  for (const row of rows) {
    const expected = row.status === 'cancelled' ? undefined : expectedEnd(row.taskId, inputOf(row))
    if (expected === undefined) {
      continue
    }
    const output = row.output === undefined ? undefined : serializer.deserialize(row.output)
    const wanted = expected.status === 'completed' ? expected.output : undefined
    if (row.status !== expected.status || output !== wanted) {
      const found = `${row.status} ${String(output)} ${row.error?.message ?? ''}`
      const sentence = `${row.taskId} of ${row.runInput}: ${found}, not ${expected.status} ${wanted ?? ''}`
      report('outputs are right', row.executionId, sentence)
    }
  }
}

function inputOf(row: ExecutionRow): unknown {
  return row.parentTask?.isFinalizeTask === true ? undefined : serializer.deserialize(row.runInput)
}

function rowsById(rows: ReadonlyArray<ExecutionRow>): Map<string, ExecutionRow> {
  return new Map(rows.map((row) => [row.executionId, row]))
}
