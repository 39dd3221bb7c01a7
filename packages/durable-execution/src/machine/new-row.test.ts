/** New rows: what was wished for them, and those that are claimed before their insert. */

import { describe, expect, test } from 'vitest'

import { createDurableTaskExecutionStorageObject, type ExecutionRow } from './execution.ts'
import { decide } from './family.ts'
import { addWishes, claimNewRow } from './new-row.ts'

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
      known: new Map(),
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

describe('wishes', () => {
  const sleeping = (): ExecutionRow => ({ ...row, sleepMsBeforeRun: 50, startAt: new Date(NOW + 50) })

  test('without any the row stays as it is', () => {
    expect(addWishes(sleeping(), {})).toEqual(sleeping())
  })

  test('a moment takes the place of the sleep', () => {
    const wished = addWishes(sleeping(), { startAt: NOW + 7 })
    expect(wished).toMatchObject({ startAt: new Date(NOW + 7), sleepMsBeforeRun: 0 })
  })

  test('a moment that has passed means at once', () => {
    expect(addWishes(sleeping(), { startAt: 0 }).startAt).toEqual(new Date(NOW))
  })

  test('a deadline counts from the creation, and is not over at once', () => {
    expect(addWishes(sleeping(), { deadlineMs: 70 })).toMatchObject({
      deadlineAt: new Date(NOW + 70),
      startAt: new Date(NOW + 50),
    })
    expect(addWishes(sleeping(), { deadlineMs: 0.5 }).deadlineAt).toEqual(new Date(NOW + 1))
  })

  test('what would begin after the deadline is due then', () => {
    expect(addWishes(sleeping(), { deadlineMs: 40 }).startAt).toEqual(new Date(NOW + 40))
    expect(addWishes(sleeping(), { startAt: NOW + 100, deadlineMs: 40 }).startAt).toEqual(new Date(NOW + 40))
  })

  test('tags are kept', () => {
    expect(addWishes(sleeping(), { tags: { customer: 'ACME' } })).toMatchObject({
      tags: { customer: 'ACME' },
    })
  })
})
