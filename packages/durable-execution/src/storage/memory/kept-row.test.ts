import assert from 'node:assert/strict'

import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { type ExecutionRow, type ExecutionUpdate, newRow } from '../../machine/execution.ts'
import { applyUpdate } from '../../machine/update.ts'
import { fullRow, rowOf } from '../../testing/conformance/rows.ts'
import { changeRow, keepRows, keepUpdate, type KeptRow } from './kept-row.ts'
import { releaseFields, releaseLeanRows, releaseRows } from './released-row.ts'
import { ROW_FIELD_NAMES } from './row-fields.ts'

function keepRow(row: ExecutionRow): KeptRow {
  const [kept] = keepRows([row], 0)
  assert(kept, 'one row in, one row out')
  return kept
}

const moment = fc.date({ noInvalidDate: true })
const error = fc.record(
  {
    errorType: fc.constantFrom('generic' as const, 'timed_out' as const, 'cancelled' as const),
    message: fc.string(),
    isRetryable: fc.boolean(),
  },
  { noNullPrototype: true },
)

const anyUpdate = fc.record(
  {
    output: fc.option(fc.string(), { nil: undefined }),
    error: fc.option(error, { nil: undefined }),
    unsetError: fc.option(fc.boolean(), { nil: undefined }),
    childrenTasks: fc.array(
      fc.record({ taskId: fc.string(), executionId: fc.string() }, { noNullPrototype: true }),
      { maxLength: 3 },
    ),
    isClosed: fc.boolean(),
    losses: fc.nat(),
    startAt: moment,
    expiresAt: fc.option(moment, { nil: undefined }),
    unsetExpiresAt: fc.option(fc.boolean(), { nil: undefined }),
    updatedAt: moment,
  },
  { requiredKeys: ['updatedAt'], noNullPrototype: true },
)

test('updates change a kept row as the machine says they change a row', () => {
  fc.assert(
    fc.property(fc.boolean(), fc.array(anyUpdate, { maxLength: 4 }), (isFull, given) => {
      const updates = given as Array<ExecutionUpdate>
      const start: ExecutionRow = isFull ? fullRow('te_1') : rowOf('te_1')
      const kept = keepRow(start)
      for (const update of updates) {
        changeRow(kept, keepUpdate(update))
      }
      expect(releaseRows([kept])[0]).toEqual(updates.reduce(applyUpdate, start))
    }),
  )
})

test('a row with every field comes back with every field', () => {
  const [released] = releaseRows([keepRow(fullRow('te_1'))])
  assert(released, 'one row in, one row out')
  expect(released).toStrictEqual(fullRow('te_1'))
  expect(Object.keys(released).toSorted()).toEqual(ROW_FIELD_NAMES.toSorted())
})

const FIXED_CHANGES: ReadonlyArray<Partial<ExecutionRow>> = [
  {},
  { rootTask: { taskId: 'other', executionId: 'te_root' } },
  { parentTask: { taskId: 'other', executionId: 'te_parent' } },
  { taskId: 'other' },
  { retryOptions: { maxAttempts: 7 } },
  { sleepMsBeforeRun: 7 },
  { timeoutMs: 7 },
  { createdAt: new Date(7) },
  { depth: 7 },
  { priority: 7 },
  { tags: { other: '7' } },
  { deadlineAt: new Date(7) },
]

test('rows that are kept together and share most come back each with its own', () => {
  const common = fullRow('te_1')
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...FIXED_CHANGES), { minLength: 2, maxLength: 6 }), (changes) => {
      // The fields that no change names are the same objects in all rows, as they are in a batch.
      const rows = changes.map((change, index) => ({ ...common, executionId: `te_${index}`, ...change }))
      expect(releaseRows(keepRows(rows, 0))).toStrictEqual(rows)
    }),
  )
})

test('what comes back has nothing of the row that it was a copy of', () => {
  const blank = newRow()
  for (const row of [
    ...releaseRows([keepRow(rowOf('te_1'))]),
    ...releaseLeanRows([keepRow(rowOf('te_1'))]),
  ]) {
    for (const name of ['retryOptions', 'startAt', 'createdAt', 'updatedAt'] as const) {
      expect(row[name]).not.toBe(blank[name])
    }
  }
})

test('fields that a row does not have are absent from what comes back', () => {
  expect(Object.keys(releaseRows([keepRow(rowOf('te_1'))])[0] ?? {}).toSorted()).toEqual(
    Object.keys(rowOf('te_1')).toSorted(),
  )
})

test('a lean copy does not touch the list of children', () => {
  const kept = keepRow(fullRow('te_1'))
  const rare = Object.defineProperty({ ...kept.rare }, 'childrenTasks', {
    get: () => {
      throw new Error('the list was read')
    },
  })
  const guarded = { ...kept, rare }
  expect(releaseLeanRows([guarded])[0]?.executionId).toBe('te_1')
  expect(releaseFields(guarded, ['childrenTasksCount'])).toEqual({
    executionId: 'te_1',
    childrenTasksCount: 2,
  })
})

test('a change that does not name the list of children shares it', () => {
  const kept = keepRow(fullRow('te_1'))
  const { childrenTasks } = kept.rare
  changeRow(kept, keepUpdate({ childrenTasksCompletedCount: 3, updatedAt: new Date(0) }))
  expect(kept.rare.childrenTasks).toBe(childrenTasks)
})
