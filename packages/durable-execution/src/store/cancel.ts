/** Cancelling executions: by a user, and below a parent that ended badly. */

import { type Millis } from '../base/clock.ts'
import { type DurableExecutionErrorStorageObject } from '../base/errors.ts'
import { type LeanRow } from '../machine/execution.ts'
import { ACTIVE_STATUSES } from '../machine/status.ts'
import { type DurableStorageTx } from '../storage/contract.ts'
import { decideInTransaction, type StoreDoors } from './decision.ts'
import { type Effects, effectsOf, NO_EFFECTS } from './effects.ts'
import { lockMatching, lockRows, readFields } from './rows.ts'
import { type Transact } from './transact.ts'

export type Cancellation = { cancelledIds: ReadonlyArray<string>; effects: Effects }

const NOTHING_CANCELLED: Cancellation = { cancelledIds: [], effects: NO_EFFECTS }

/**
 * Cancels one execution for a user. `tried` holds the ends that earlier tries wrote, and takes that of this one: a
 * try whose reply was lost may have cancelled it, and is known by that moment.
 */
export async function cancelByUser(
  transact: Transact,
  executionId: string,
  doors: StoreDoors,
  tried: Set<Millis>,
): Promise<Cancellation> {
  return await transact(async (tx) => {
    const { finishedAt, ...cancellation } = await cancelIn(tx, [executionId], doors, doors.now(), undefined)
    if (finishedAt === undefined) {
      return await findCancelledBefore(tx, executionId, tried)
    }
    // Not the present: where the clock of whoever runs it is ahead, its end is later than that.
    tried.add(finishedAt)
    return cancellation
  })
}

async function findCancelledBefore(
  tx: DurableStorageTx,
  executionId: string,
  tried: ReadonlySet<Millis>,
): Promise<Cancellation> {
  if (tried.size === 0) {
    return NOTHING_CANCELLED
  }
  const row = (await readFields(tx, [executionId], ['status', 'finishedAt', 'isClosed', 'parentTask'])).get(
    executionId,
  )
  if (row?.status !== 'cancelled' || !tried.has(row.finishedAt?.getTime() ?? NaN)) {
    return NOTHING_CANCELLED
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
): Promise<Cancellation & { finishedAt: Millis | undefined }> {
  const rows = await lockActive(tx, executionIds, new Date(now))
  const events = [...rows.keys()].map((executionId) =>
    parentError === undefined
      ? { kind: 'cancelled' as const, executionId }
      : { kind: 'parent_ended' as const, executionId, parentError },
  )
  const decision = await decideInTransaction(tx, { rows }, events, doors, now)
  const cancelledIds = events
    .filter((_, index) => decision.results[index] === 'accepted')
    .map((event) => event.executionId)
  const [first] = cancelledIds
  return {
    cancelledIds,
    effects: effectsOf(decision),
    finishedAt: first === undefined ? undefined : decision.rows.get(first)?.finishedAt?.getTime(),
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
