/** Cancelling executions: by a user, and below a parent that ended badly. */

import { type Millis } from '../base/clock.ts'
import { type DurableExecutionErrorStorageObject } from '../base/errors.ts'
import { ACTIVE_STATUSES, type LeanRow } from '../machine/execution.ts'
import { type DurableStorageTx } from '../storage/contract.ts'
import { decideInTransaction, type StoreDoors } from './decision.ts'
import { type Effects, effectsOf, NO_EFFECTS } from './effects.ts'
import { lockMatching, lockRows, readFields } from './rows.ts'
import { type Transact } from './transact.ts'

export type Cancellation = { cancelledIds: Array<string>; effects: Effects }

/**
 * Cancels one execution for a user. `triedAt` holds when earlier tries were made, and takes this one: a
 * try whose reply was lost may have cancelled it, and is known by that moment.
 */
export async function cancelByUser(
  transact: Transact,
  executionId: string,
  doors: StoreDoors,
  triedAt: Set<Millis>,
): Promise<Cancellation> {
  return await transact(async (tx) => {
    const now = doors.now()
    const cancellation = await cancelIn(tx, [executionId], doors, now, undefined)
    if (cancellation.cancelledIds.length === 0 && triedAt.size > 0) {
      return await findCancelledBefore(tx, executionId, triedAt)
    }
    triedAt.add(now)
    return cancellation
  })
}

async function findCancelledBefore(
  tx: DurableStorageTx,
  executionId: string,
  triedAt: ReadonlySet<Millis>,
): Promise<Cancellation> {
  const row = (await readFields(tx, [executionId], ['status', 'finishedAt', 'isClosed', 'parentTask'])).get(
    executionId,
  )
  if (row?.status !== 'cancelled' || !triedAt.has(row.finishedAt?.getTime() ?? NaN)) {
    return { cancelledIds: [], effects: NO_EFFECTS }
  }
  const open = row.isClosed === true ? [] : [{ executionId, parentTask: row.parentTask }]
  const effects = { ...NO_EFFECTS, finishedIds: [executionId], cancelledRunningIds: [executionId], open }
  return { cancelledIds: [executionId], effects }
}

/** Cancels those of the executions that are active, since their parent has ended badly. */
export async function cancelActive(
  transact: Transact,
  executionIds: ReadonlyArray<string>,
  doors: StoreDoors,
  parentError: DurableExecutionErrorStorageObject,
): Promise<Cancellation> {
  return await transact(async (tx) => await cancelIn(tx, executionIds, doors, doors.now(), parentError))
}

async function cancelIn(
  tx: DurableStorageTx,
  executionIds: ReadonlyArray<string>,
  doors: StoreDoors,
  now: Millis,
  parentError: DurableExecutionErrorStorageObject | undefined,
): Promise<Cancellation> {
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
