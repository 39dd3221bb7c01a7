/** A new row that is claimed before it is inserted. */

import { assert } from '../base/assert.ts'
import { type Millis } from '../base/clock.ts'
import { claimed } from './attempt.ts'
import { type ExecutionEvent } from './event.ts'
import { type ExecutionRow } from './execution.ts'
import { applyUpdate } from './update.ts'

type Claim = Pick<Extract<ExecutionEvent, { kind: 'claimed' }>, 'leaseId' | 'executorId' | 'expiresAt'>

/** The row as its insert, and a claim at once, would leave it; it must be `ready` and due. */
export function claimNewRow(row: ExecutionRow, claim: Claim, now: Millis): ExecutionRow {
  assert(row.status === 'ready', `the new row ${row.executionId} is ${row.status}`)
  const update = claimed(row, { ...claim, kind: 'claimed', executionId: row.executionId }, now)
  assert(typeof update !== 'string', `the new row ${row.executionId} is not due`)
  return applyUpdate(row, update)
}
