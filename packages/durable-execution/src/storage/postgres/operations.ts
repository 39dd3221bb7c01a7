/** What a transaction can do. Each call is prepared at once, and is one statement unless it says otherwise. */

import { type DurableStorageTx } from '../contract.ts'
import { fieldsNamed } from '../sql/rows.ts'
import { claimRows } from './claim.ts'
import { ClaimCursor } from './claim-cursor.ts'
import { insertInto, insertMissingRows, insertRows } from './insert.ts'
import { EarlyRows } from './early-rows.ts'
import { findBelow, lockRows, selectFields, selectIds, selectRanges, selectRows } from './read.ts'
import { renewRows } from './renew.ts'
import { type Call } from './session.ts'
import { type Tables } from './tables.ts'
import { updateRows, updateRowsGuarded } from './update.ts'

type Operation<Member> = Member extends (...given: infer Given) => infer Answer
  ? (...given: Given) => Call<Awaited<Answer>>
  : never

/** What a transaction of this storage has: the whole contract. */
export type PostgresOperations = {
  [Name in keyof DurableStorageTx]-?: Operation<Required<DurableStorageTx>[Name]>
}

/** The operations on those tables. */
export function createOperations(tables: Tables): PostgresOperations {
  const cursor = new ClaimCursor()
  const early = new EarlyRows(tables)
  const into = insertInto(tables.rows)
  return {
    insertTaskExecutions: (executions) => {
      early.note(executions)
      return insertRows(into, executions)
    },
    insertTaskExecutionsIfMissing: (executions) => insertMissingRows(into, executions),
    getTaskExecutionIds: (where, limit) => selectIds(tables, where, limit),
    getTaskExecutions: (where, limit) => selectRows(tables, where, limit),
    updateTaskExecutions: (where, update) => updateRows(tables, where, update),
    claimTaskExecutions: (claim) => claimRows(tables, claim, cursor),
    updateTaskExecutionsBatch: (updates) => updateRowsGuarded(tables, updates, early),
    lockTaskExecutions: (executionIds, options) => lockRows(tables, executionIds, options),
    getTaskExecutionFields: (executionIds, fields) => selectFields(tables, executionIds, fieldsNamed(fields)),
    renewTaskExecutions: (renew) => renewRows(tables, renew),
    getTaskExecutionsInIdRanges: (ranges) => selectRanges(tables, ranges),
    getTaskExecutionIdsBelow: (parentExecutionId, limit) => findBelow(tables, parentExecutionId, limit),
  }
}
