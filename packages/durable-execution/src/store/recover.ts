/** Putting back what a dead or stalled executor left running. */

import { LIMITS } from '../base/limits.ts'
import { type DurableStorageTx } from '../storage/contract.ts'
import { decideInTransaction, type StoreDoors } from './decision.ts'
import { type Effects, effectsOf, NO_EFFECTS } from './effects.ts'
import { lockRows } from './rows.ts'
import { type Transact } from './transact.ts'

export type Recovery = {
  effects: Effects
  /** The executions whose lease had lapsed. */
  lostIds: Array<string>
  /** When the next lease lapses; undefined if nothing runs. */
  nextLapseAt: Date | undefined
  /** Whether there was more than one look takes on. */
  isMore: boolean
}

/**
 * Puts back running rows whose lease has lapsed. `maxLossesOf` says after how many losses a task is
 * given up; undefined for a task not known here: it is put back, and given up by those who know it.
 */
export async function recoverLost(
  transact: Transact,
  maxLossesOf: (taskId: string) => number | undefined,
  doors: StoreDoors,
): Promise<Recovery> {
  return await transact(async (tx) => {
    const now = doors.now()
    const found = await tx.getTaskExecutionIds(
      { type: 'by_statuses', statuses: ['running'], expiresAtLessThan: new Date(now) },
      LIMITS.sweepRows,
    )
    if (found.length === 0) {
      const nextLapseAt = await findNextLapse(tx, now)
      return { effects: NO_EFFECTS, lostIds: [], nextLapseAt, isMore: false }
    }
    const rows = await lockRows(tx, found, new Date(now))
    const events = found.map((executionId) => ({
      kind: 'lost' as const,
      executionId,
      maxLosses: maxLossesOf(rows.get(executionId)?.taskId ?? '') ?? Infinity,
    }))
    const decision = await decideInTransaction(tx, { rows }, events, doors, now)
    return {
      effects: effectsOf(decision),
      lostIds: found.filter((_, index) => decision.results[index] === 'accepted'),
      nextLapseAt: await findNextLapse(tx, now),
      isMore: found.length === LIMITS.sweepRows,
    }
  })
}

async function findNextLapse(tx: DurableStorageTx, now: number): Promise<Date | undefined> {
  const [next] = await tx.getTaskExecutions(
    {
      type: 'by_statuses',
      statuses: ['running'],
      expiresAtLessThan: new Date(now + LIMITS.delayMs),
    },
    1,
  )
  return next?.expiresAt
}
