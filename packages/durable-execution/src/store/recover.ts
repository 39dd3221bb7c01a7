/** Putting back what a dead or stalled executor left running. */

import { DurableExecutionError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { type DurableStorageTx } from '../storage/contract.ts'
import { decideInTransaction, type StoreDoors } from './decision.ts'
import { type Effects, effectsOf, mergeEffects, NO_EFFECTS } from './effects.ts'
import { lockRows } from './rows.ts'
import { isStorageThere, type Transact } from './transact.ts'

const IDS_NAMED = 3

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
  const quiet = await nextLapseIfQuiet(transact, doors)
  if (quiet !== undefined) {
    return { effects: NO_EFFECTS, lostIds: [], nextLapseAt: quiet.nextLapseAt, isMore: false }
  }
  let found: Array<string> = []
  try {
    return await transact(async (tx) => {
      const now = doors.now()
      found = await findLapsed(tx, now, LIMITS.sweepRows)
      const recovered = await recoverSome(tx, found, maxLossesOf, doors)
      const nextLapseAt = await findNextLapse(tx, now)
      return { ...recovered, nextLapseAt, isMore: found.length === LIMITS.sweepRows }
    })
  } catch (error) {
    const [first] = found
    if (found.length <= 1 || first === undefined || !(await isStorageThere(transact, first))) {
      throw error
    }
    return await recoverOneByOne(transact, found, maxLossesOf, doors, error)
  }
}

/** When the next lease lapses, if none has; undefined if one has. Single reads, since that is so nearly always. */
async function nextLapseIfQuiet(
  transact: Transact,
  doors: StoreDoors,
): Promise<{ nextLapseAt: Date | undefined } | undefined> {
  const now = doors.now()
  const nextLapseAt = await transact(async (tx) => await findNextLapse(tx, now), { oneCall: true })
  if (nextLapseAt === undefined) {
    return { nextLapseAt }
  }
  // The first may not be the earliest: a storage may answer in any order.
  const lapsed = await transact(async (tx) => await findLapsed(tx, now, 1), { oneCall: true })
  return lapsed.length === 0 ? { nextLapseAt } : undefined
}

/** One row that cannot be put back does not hold up the others. */
async function recoverOneByOne(
  transact: Transact,
  executionIds: ReadonlyArray<string>,
  maxLossesOf: (taskId: string) => number | undefined,
  doors: StoreDoors,
  firstError: unknown,
): Promise<Recovery> {
  // At once, since one that somebody has locked may be waited for as long as a call may take.
  const tries = await Promise.allSettled(
    executionIds.map((executionId) =>
      transact(async (tx) => await recoverSome(tx, [executionId], maxLossesOf, doors)),
    ),
  )
  const recovered = tries.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const lostIds = recovered.flatMap((one) => one.lostIds)
  if (lostIds.length === 0) {
    throw firstError
  }
  const effects = recovered.map((one) => one.effects).reduce(mergeEffects, NO_EFFECTS)
  return { effects, lostIds, nextLapseAt: undefined, isMore: true }
}

async function recoverSome(
  tx: DurableStorageTx,
  executionIds: ReadonlyArray<string>,
  maxLossesOf: (taskId: string) => number | undefined,
  doors: StoreDoors,
): Promise<Pick<Recovery, 'effects' | 'lostIds'>> {
  if (executionIds.length === 0) {
    return { effects: NO_EFFECTS, lostIds: [] }
  }
  const now = doors.now()
  const rows = await lockRows(tx, executionIds, new Date(now))
  if (!executionIds.some((executionId) => rows.has(executionId))) {
    // Found by their lapse and not by their ids: to look again at once would lead here again.
    throw new DurableExecutionError(
      `Executions whose leases have lapsed are not found by their ids: ${executionIds.slice(0, IDS_NAMED).join(', ')}. ` +
        'The storage is damaged, unless they were deleted just now',
    )
  }
  const events = executionIds.map((executionId) => ({
    kind: 'lost' as const,
    executionId,
    maxLosses: maxLossesOf(rows.get(executionId)?.taskId ?? '') ?? Infinity,
  }))
  const decision = await decideInTransaction(tx, { rows }, events, doors, now)
  return {
    effects: effectsOf(decision),
    lostIds: executionIds.filter((_, index) => decision.results[index] === 'accepted'),
  }
}

async function findLapsed(tx: DurableStorageTx, now: number, limit: number): Promise<Array<string>> {
  return await tx.getTaskExecutionIds(
    { type: 'by_statuses', statuses: ['running'], expiresAtLessThan: new Date(now) },
    limit,
  )
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
