/** The optional members made of the four operations: what the engine does where a storage has only these. */

import { type LeanRow } from '../../src/machine/execution.ts'
import { ALL_STATUSES } from '../../src/machine/status.ts'
import { type DurableStorageTx } from '../../src/storage/contract.ts'
import { claimRows } from '../../src/store/claim.ts'
import { lockRows, readFields } from '../../src/store/rows.ts'
import { type Row } from './generated-rows.ts'

const ids = (executionIds: Array<string>): { type: 'by_execution_ids'; executionIds: Array<string> } => ({
  type: 'by_execution_ids',
  executionIds,
})

/**
 * The whole contract over the four operations. A claim, a lock and the reading of fields are the engine's own
 * fallbacks; the engine decides the rest from rows that it has locked, as is done here.
 */
export function overFourOperations(tx: DurableStorageTx, now: () => Date): Required<DurableStorageTx> {
  const one = async (executionId: string): Promise<Row | undefined> =>
    (await tx.getTaskExecutions(ids([executionId])))[0]
  return {
    insertTaskExecutions: async (rows) => await tx.insertTaskExecutions(rows),
    insertTaskExecutionsIfMissing: async (rows) => {
      const there = new Set(await tx.getTaskExecutionIds(ids(rows.map((row) => row.executionId))))
      const missing = rows.filter((row) => !there.has(row.executionId))
      await tx.insertTaskExecutions(missing)
      return missing.map((row) => row.executionId)
    },
    getTaskExecutionIds: async (where, limit) => await tx.getTaskExecutionIds(where, limit),
    getTaskExecutions: async (where, limit) => await tx.getTaskExecutions(where, limit),
    updateTaskExecutions: async (where, update) => await tx.updateTaskExecutions(where, update),
    claimTaskExecutions: async (claim) =>
      await claimRows(async (fn) => await fn(tx), claim, {
        now: () => claim.now.getTime(),
        newExecutionId: () => 'te_never_used',
        newLeaseId: () => claim.leaseId,
        planOf: () => undefined,
      }),
    updateTaskExecutionsBatch: async (updates) => {
      const changed: Array<string> = []
      for (const { executionId, statuses, leaseId, update } of updates) {
        const row = leaseId === undefined ? undefined : await one(executionId)
        if (leaseId === undefined || row?.leaseId === leaseId) {
          const where = { ...ids([executionId]), ...(statuses === undefined ? {} : { statuses }) }
          changed.push(...(await tx.updateTaskExecutions(where, update)))
        }
      }
      return changed
    },
    lockTaskExecutions: async (executionIds, options) => {
      const rows = [...(await lockRows(tx, executionIds, now())).values()]
      return options?.isLean === true ? rows.map(withoutHeavyFields) : rows
    },
    getTaskExecutionFields: async (executionIds, fields) => {
      const rows = await readFields(tx, executionIds, fields)
      return [...rows.values()].map((row) => pick(row, ['executionId', ...fields]))
    },
    renewTaskExecutions: async ({ leases, expiresAt, now: updatedAt }) => {
      const renewed: Array<{ executionId: string }> = []
      for (const { executionId, leaseId } of leases) {
        const row = await one(executionId)
        if (row?.status === 'running' && row.leaseId === leaseId) {
          await tx.updateTaskExecutions(ids([executionId]), { expiresAt, updatedAt })
          renewed.push({ executionId })
        }
      }
      return renewed
    },
    getTaskExecutionsInIdRanges: async (ranges) => {
      const rows = await tx.getTaskExecutions({ type: 'by_statuses', statuses: [...ALL_STATUSES] })
      return ranges.flatMap(({ from, to }) =>
        rows.filter(({ executionId }) => executionId >= from && executionId < to),
      )
    },
    getTaskExecutionIdsBelow: async (parentExecutionId, limit) => {
      const active = ['ready', 'running', 'waiting_for_children_tasks', 'waiting_for_finalize_task'] as const
      const done = [
        'failed',
        'timed_out',
        'children_tasks_failed',
        'finalize_task_failed',
        'completed',
        'cancelled',
      ] as const
      const rows = await tx.getTaskExecutions({ type: 'by_statuses', statuses: [...active, ...done] })
      return rows
        .filter((row) => row.parentTask?.executionId === parentExecutionId)
        .filter((row) => !row.isClosed || active.some((status) => status === row.status))
        .map((row) => row.executionId)
        .slice(0, limit)
    },
  }
}

function withoutHeavyFields(row: LeanRow): LeanRow {
  const { childrenTasks: _1, runInput: _2, runOutput: _3, output: _4, ...lean } = row
  return lean
}

function pick(
  row: Partial<Row> & { executionId: string },
  fields: ReadonlyArray<keyof Row>,
): { executionId: string } {
  const given = fields.filter((field) => row[field] !== undefined).map((field) => [field, row[field]])
  return Object.fromEntries(given) as { executionId: string }
}
