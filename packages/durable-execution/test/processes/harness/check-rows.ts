/** What must hold of the rows of a round that is over. */

import { isDeepStrictEqual } from 'node:util'

import { createDefaultSerializer } from '../../../src/index.ts'
import { type ExecutionRow } from '../../../src/machine/execution.ts'
import { isFinishedStatus } from '../../../src/machine/status.ts'
import { isCompensation } from '../../../src/machine/records.ts'
import { type Evidence, type Report, type Sighting } from './check.ts'
import { expectedEnd } from './expected.ts'
import { valueOf } from './random-trees.ts'
import { KNOWN_TO } from './tasks.ts'

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

/** A cancel that said so has cancelled; one that did not was too late; and nothing else is cancelled. */
export function checkCancels({ rows, cancels }: Evidence, report: Report): void {
  const byId = rowsById(rows)
  const answers = new Map(cancels.map((answer) => [answer.executionId, answer]))
  for (const { executionId, hasCancelled } of cancels) {
    const status = byId.get(executionId)?.status
    if (hasCancelled && status !== 'cancelled') {
      report('cancel sticks', executionId, `cancel said that it cancelled, and it is ${status}`)
    }
  }
  for (const row of rows) {
    const { hasCancelled = false, refusals = 0 } = answers.get(row.executionId) ?? {}
    // A call that the storage did not answer may have cancelled it all the same; the one after it came too late.
    if (row.status === 'cancelled' && !hasCancelled && refusals === 0) {
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
    const isFree = row.status === 'cancelled' || isCompensation(row)
    const expected = isFree ? undefined : expectedEnd(row.taskId, inputOf(row))
    if (expected === undefined) {
      continue
    }
    const output = row.output === undefined ? undefined : valueOf(serializer.deserialize(row.output))
    const wanted = expected.status === 'completed' ? expected.output : undefined
    if (row.status !== expected.status || output !== wanted) {
      const found = `${row.status} ${String(output)} ${row.error?.message ?? ''}`
      const sentence = `${row.taskId} of ${row.runInput}: ${found}, not ${expected.status} ${wanted ?? ''}`
      report('outputs are right', row.executionId, sentence)
    }
  }
}

/** What no process knows is as it was enqueued, but for the cancel that it is there for. */
export function checkUnknown({ rows }: Evidence, report: Report): void {
  for (const row of rows.filter(({ taskId }) => KNOWN_TO.get(taskId) === 'client')) {
    const isTouched = row.startedAt !== undefined || row.retryAttempts > 0 || (row.losses ?? 0) > 0
    if (isTouched || row.status !== 'cancelled') {
      const sentence = `${row.taskId} is ${row.status}, ${isTouched ? 'and' : 'and not'} touched`
      report('unknown tasks are left alone', row.executionId, sentence)
    }
  }
}

function inputOf(row: ExecutionRow): unknown {
  return row.parentTask?.isFinalizeTask === true ? undefined : serializer.deserialize(row.runInput)
}

function rowsById(rows: ReadonlyArray<ExecutionRow>): Map<string, ExecutionRow> {
  return new Map(rows.map((row) => [row.executionId, row]))
}
