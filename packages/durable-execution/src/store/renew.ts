/** Saying that runs are alive, and hearing which of them are not wanted any more. */

import { LIMITS } from '../base/limits.ts'
import { type Lease } from '../machine/event.ts'
import { type DurableStorageTx } from '../storage/contract.ts'
import { decideInTransaction, type StoreDoors } from './decision.ts'
import { chunksOf, lockRows } from './rows.ts'
import { isStorageThere, type Transact } from './transact.ts'

export type HeldLease = { executionId: string; lease: Lease }

/** What became of each lease. What is in neither list is unknown: it may hold or not. */
export type Renewal = { renewedIds: Array<string>; lostIds: Array<string> }

/** Renews leases until `expiresAt`. Only rows whose lease is ours are extended; the others are reported lost. */
export async function renewLeases(
  transact: Transact,
  leases: ReadonlyArray<HeldLease>,
  expiresAt: Date,
  doors: StoreDoors,
  onError: (error: unknown) => void,
): Promise<Renewal> {
  const renewal: Renewal = { renewedIds: [], lostIds: [] }
  // Rows are renewed in batches where each may wait for whoever holds one of them; a batch that fails is
  // unknown, and says nothing of the others.
  const isQuick = await transact((tx) => Promise.resolve(tx.renewTaskExecutions !== undefined), {
    oneCall: true,
  })
  const size = isQuick ? LIMITS.idsPerCall : LIMITS.renewsPerTransaction
  const renewTogether = async (some: ReadonlyArray<HeldLease>): Promise<void> => {
    try {
      const { renewedIds, lostIds } = await transact(
        async (tx) => await renewSome(tx, some, expiresAt, doors),
        { oneCall: isQuick },
      )
      renewal.renewedIds.push(...renewedIds)
      renewal.lostIds.push(...lostIds)
    } catch (error) {
      const [first] = some
      // The row at fault stands alone in the end, and costs nobody else the lease.
      if (some.length > 1 && first && (await isStorageThere(transact, first.executionId))) {
        await Promise.all(some.map((one) => renewTogether([one])))
      } else {
        onError(error)
      }
    }
  }
  for (const some of chunksOf(leases, size)) {
    await renewTogether(some)
  }
  return renewal
}

async function renewSome(
  tx: DurableStorageTx,
  leases: ReadonlyArray<HeldLease>,
  expiresAt: Date,
  doors: StoreDoors,
): Promise<Renewal> {
  const now = doors.now()
  if (tx.renewTaskExecutions) {
    const answers = await tx.renewTaskExecutions({
      leases: leases.map(({ executionId, lease }) => ({ executionId, leaseId: lease.leaseId })),
      expiresAt,
      now: new Date(now),
    })
    const held = new Set(answers.map((answer) => answer.executionId))
    return {
      renewedIds: answers.filter((answer) => answer.isSkipped !== true).map((answer) => answer.executionId),
      lostIds: leases.map(({ executionId }) => executionId).filter((id) => !held.has(id)),
    }
  }
  const rows = await lockRows(
    tx,
    leases.map(({ executionId }) => executionId),
    new Date(now),
  )
  const events = leases.map(({ executionId, lease }) => ({
    kind: 'renewed' as const,
    executionId,
    lease,
    expiresAt,
  }))
  const { results } = await decideInTransaction(tx, { rows }, events, doors, now)
  const idsWhere = (isRenewed: boolean): Array<string> =>
    leases
      .filter((_, index) => (results[index] === 'accepted') === isRenewed)
      .map(({ executionId }) => executionId)
  return { renewedIds: idsWhere(true), lostIds: idsWhere(false) }
}

/** Tells which of the executions were cancelled and their runs not told yet; from then on they count as told. */
export async function takeCancelled(
  transact: Transact,
  executionIds: ReadonlyArray<string>,
  doors: StoreDoors,
  tell: (executionId: string) => void,
): Promise<void> {
  for (const ids of chunksOf(executionIds, LIMITS.idsPerCall)) {
    const where = {
      type: 'by_execution_ids' as const,
      executionIds: ids,
      needsPromiseCancellation: true,
    }
    const found = await transact(async (tx) => await tx.getTaskExecutionIds(where), { oneCall: true })
    // Told before the flag is taken back: nobody would find it again if that were done and its reply lost.
    for (const executionId of found) {
      tell(executionId)
    }
    if (found.length > 0) {
      const update = { needsPromiseCancellation: false, updatedAt: new Date(doors.now()) }
      await transact(async (tx) => await tx.updateTaskExecutions({ ...where, executionIds: found }, update), {
        oneCall: true,
      })
    }
  }
}
