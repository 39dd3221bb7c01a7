/** Taking due rows, to run them under a lease. */

import { LIMITS } from '../base/limits.ts'
import { type ExecutionRow } from '../machine/execution.ts'
import { highestFirst } from '../machine/priority.ts'
import { type DurableStorageClaim, type DurableStorageTx } from '../storage/contract.ts'
import { decideInTransaction, type StoreDoors } from './decision.ts'
import { lockMatching } from './rows.ts'
import { type Transact, withOperation } from './transact.ts'

/** Which of the due rows may be taken. */
export type DueTasks = Pick<DurableStorageClaim, 'taskIds' | 'excludedExecutionIds' | 'lossesLessThan'>

/** Claims up to `limit` due rows of the given tasks. The rows come back whole and running. */
export async function claimRows(
  transact: Transact,
  claim: DurableStorageClaim,
  doors: StoreDoors,
): Promise<Array<ExecutionRow>> {
  return await withOperation(
    transact,
    'claimTaskExecutions',
    async (tx) => (await tx.claimTaskExecutions?.(claim)) ?? [],
    async (tx) => await claimByFour(tx, claim, doors),
  )
}

async function claimByFour(
  tx: DurableStorageTx,
  claim: DurableStorageClaim,
  doors: StoreDoors,
): Promise<Array<ExecutionRow>> {
  const candidates = await findDue(tx, claim)
  if (candidates.length === 0) {
    return []
  }
  // Only claiming may guard its touch: a row on its way into `ready` is the next claim's business.
  const rows = await lockMatching(
    tx,
    { executionIds: candidates.map((row) => row.executionId), statuses: ['ready'] },
    claim.now,
  )
  const events = candidates
    .filter((row) => rows.has(row.executionId))
    .map(({ executionId }) => ({ ...claim, kind: 'claimed' as const, executionId }))
  // Between find and touch somebody may have run a row and put it back for later: the rules read `startAt` again.
  const decision = await decideInTransaction(tx, { rows }, events, doors, claim.now.getTime())
  return events
    .filter((_, index) => decision.results[index] === 'accepted')
    .map((event) => decision.rows.get(event.executionId) as ExecutionRow)
}

/** Whether a due row is one that may be taken. */
function fits({
  taskIds,
  excludedExecutionIds,
  lossesLessThan = Infinity,
}: DueTasks): (row: ExecutionRow) => boolean {
  const known = new Set(taskIds)
  const excluded = new Set(excludedExecutionIds)
  return ({ taskId, executionId, losses = 0 }) =>
    known.has(taskId) && !excluded.has(executionId) && losses < lossesLessThan
}

/**
 * Due rows that may be taken, looking past what may not. The look goes by `startAt` alone, so a higher priority comes first
 * only among the rows of one look, which are a few more than a small claim asks for.
 */
async function findDue(tx: DurableStorageTx, claim: DurableStorageClaim): Promise<Array<ExecutionRow>> {
  const isFitting = fits(claim)
  for (let limit = Math.max(claim.limit, LIMITS.claimedFromRows); ; limit *= 2) {
    const found = await tx.getTaskExecutions(
      {
        type: 'by_start_at_less_than',
        statuses: ['ready'],
        // The clause excludes the instant itself, and what is due now is due.
        startAtLessThan: new Date(claim.now.getTime() + 1),
      },
      limit,
    )
    const fitting = found.filter(isFitting)
    if (fitting.length >= claim.limit || found.length < limit) {
      return highestFirst(fitting).slice(0, claim.limit)
    }
  }
}

/** What a look at the next due rows found. */
export type NextDue = {
  /** When the next of the rows that may be claimed is due; undefined if none was found. */
  dueAt: number | undefined
  /** None was found, and that may be since too many that may not be claimed stood before it. */
  isCovered: boolean
}

/** When the next of the rows that may be claimed is due, looking no further than `until`. */
export async function nextDueAt(transact: Transact, due: DueTasks, until: Date): Promise<NextDue> {
  const isFitting = fits(due)
  const rows = await transact(
    async (tx) =>
      await tx.getTaskExecutions(
        { type: 'by_start_at_less_than', statuses: ['ready'], startAtLessThan: until },
        LIMITS.nextDueRows,
      ),
    { oneCall: true },
  )
  let earliest: number | undefined
  for (const row of rows) {
    if (isFitting(row)) {
      const at = row.startAt.getTime()
      // A damaged moment is found as one that has passed.
      earliest = Math.min(earliest ?? Infinity, Number.isNaN(at) ? -Infinity : at)
    }
  }
  return { dueAt: earliest, isCovered: earliest === undefined && rows.length >= LIMITS.nextDueRows }
}

/** The rows of a claim whose commit was not acknowledged, if it happened: looked up, never guessed. */
export async function findClaimed(
  transact: Transact,
  leaseId: string,
  expiresAt: Date,
): Promise<Array<ExecutionRow>> {
  const rows = await transact(
    async (tx) =>
      await tx.getTaskExecutions({
        type: 'by_statuses',
        statuses: ['running'],
        expiresAtLessThan: new Date(expiresAt.getTime() + 1),
      }),
    { oneCall: true },
  )
  return rows.filter((row) => row.leaseId === leaseId)
}
