/** New rows: what was wished for them beyond what their task says, and those that are claimed before they are inserted. */

import { assert } from '../base/assert.ts'
import { type Millis } from '../base/clock.ts'
import { claimed } from './attempt.ts'
import { dueBy } from './deadline.ts'
import { type ExecutionEvent, type Wishes } from './event.ts'
import { type ExecutionRow } from './execution.ts'
import { applyUpdate } from './update.ts'

type Claim = Pick<Extract<ExecutionEvent, { kind: 'claimed' }>, 'leaseId' | 'executorId' | 'expiresAt'>

/** Adds what was wished to a row that was just made. It ends at the `ceiling` at the latest: the deadline of its parent. */
export function addWishes(
  row: ExecutionRow,
  { startAt, deadlineMs = Infinity, tags }: Wishes,
  ceiling: Millis = Infinity,
): ExecutionRow {
  const createdAt = row.createdAt.getTime()
  const deadlineAt = Math.min(Math.ceil(createdAt + deadlineMs), ceiling)
  if (startAt !== undefined) {
    row.sleepMsBeforeRun = 0
    // A moment that has passed is no way to the front of the queue.
    row.startAt = new Date(Math.max(startAt, createdAt))
  }
  if (deadlineAt !== Infinity) {
    row.deadlineAt = new Date(deadlineAt)
    row.startAt = new Date(dueBy(row, row.startAt.getTime(), createdAt))
  }
  if (tags !== undefined) {
    row.tags = tags
  }
  return row
}

/** The row as its insert, and a claim at once, would leave it; it must be `ready` and due. */
export function claimNewRow(row: ExecutionRow, claim: Claim, now: Millis): ExecutionRow {
  assert(row.status === 'ready', `the new row ${row.executionId} is ${row.status}`)
  const update = claimed(row, { ...claim, kind: 'claimed', executionId: row.executionId }, now)
  assert(typeof update !== 'string', `the new row ${row.executionId} is not due`)
  return applyUpdate(row, update)
}
