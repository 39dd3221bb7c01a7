/** A new row that is claimed before its insert is what an insert and a claim would have made of it. */

import { expect, test } from 'vitest'

import { createDurableTaskExecutionStorageObject } from './execution.ts'
import { decide } from './family.ts'
import { claimNewRow } from './new-row.ts'

const NOW = 1_000
const row = createDurableTaskExecutionStorageObject({
  now: new Date(NOW),
  taskId: 'work',
  executionId: 'te_1',
  retryOptions: { maxAttempts: 0 },
  sleepMsBeforeRun: 0,
  timeoutMs: 1_000,
  runInput: '1',
})
const claim = { leaseId: 'l', executorId: 'e', expiresAt: new Date(NOW + 30_000) }

test('it is the row that a claim in the same moment leaves', () => {
  const decision = decide(
    { rows: new Map([[row.executionId, row]]) },
    [{ ...claim, kind: 'claimed', executionId: row.executionId }],
    {
      now: NOW,
      planOf: () => undefined,
      newExecutionId: () => 'te_2',
      fanIns: new Map(),
      failedCounts: new Map(),
      outputs: new Map(),
    },
  )
  expect(claimNewRow(row, claim, NOW)).toEqual(
    decision.kind === 'decided' ? decision.rows.get(row.executionId) : undefined,
  )
})

test('the given row is not changed', () => {
  const before = structuredClone(row)
  claimNewRow(row, claim, NOW)
  expect(row).toEqual(before)
})

test('a row that is not due, or not ready, is not claimed', () => {
  expect(() => claimNewRow({ ...row, startAt: new Date(NOW + 1) }, claim, NOW)).toThrow(/not due/)
  expect(() => claimNewRow({ ...row, status: 'running' }, claim, NOW)).toThrow(/is running/)
})
