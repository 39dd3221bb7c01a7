/** Cancelling executions: by a user, and below a parent that ended badly. */

import { type DurableExecutionErrorStorageObject } from '../base/errors.ts'
import { ACTIVE_STATUSES, type LeanRow } from '../machine/execution.ts'
import { type DurableStorageTx } from '../storage/contract.ts'
import { decideInTransaction, type StoreDoors } from './decision.ts'
import { type Effects, effectsOf } from './effects.ts'
import { lockMatching, lockRows } from './rows.ts'
import { type Transact } from './transact.ts'

export type Cancellation = { cancelledIds: Array<string>; effects: Effects }

/** Cancels those of the executions that are active. */
export async function cancelActive(
  transact: Transact,
  executionIds: ReadonlyArray<string>,
  doors: StoreDoors,
  parentError?: DurableExecutionErrorStorageObject,
): Promise<Cancellation> {
  return await transact(async (tx) => {
    const now = doors.now()
    const rows = await lockActive(tx, executionIds, new Date(now))
    const events = [...rows.keys()].map((executionId) =>
      parentError === undefined
        ? { kind: 'cancelled' as const, executionId }
        : { kind: 'parent_ended' as const, executionId, parentError },
    )
    const decision = await decideInTransaction(tx, { rows }, events, doors, now)
    return {
      cancelledIds: events
        .filter((_, index) => decision.results[index] === 'accepted')
        .map((event) => event.executionId),
      effects: effectsOf(decision),
    }
  })
}

async function lockActive(
  tx: DurableStorageTx,
  executionIds: ReadonlyArray<string>,
  now: Date,
): Promise<Map<string, LeanRow>> {
  return tx.lockTaskExecutions
    ? await lockRows(tx, executionIds, now)
    : await lockMatching(tx, { executionIds: [...executionIds], statuses: [...ACTIVE_STATUSES] }, now)
}
