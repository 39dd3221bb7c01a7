/** What holds of every decision, whatever it is about: each sentence of the tests asks for it. */

import { expect } from 'vitest'

import { type ExecutionRow } from './execution.ts'
import { type Decision } from './family.ts'
import { type Wanted } from './wants.ts'
import { isRecord } from './records.ts'
import { applyUpdate } from './update.ts'

/** The rows that a decision shows are those that its updates make, and what it inserts are new rows. */
export function expectWhole(family: ReadonlyMap<string, ExecutionRow>, decision: Decision): void {
  for (const [executionId, row] of family) {
    const update = decision.updates.get(executionId)
    const written = update === undefined ? row : applyUpdate(row, update)
    expect(decision.rows.get(executionId), `${executionId} is shown as it is written`).toEqual(written)
  }
  for (const executionId of decision.updates.keys()) {
    const isState = executionId.endsWith('!state')
    expect(isState || family.has(executionId), `${executionId} was locked before it is written`).toBe(true)
  }
  for (const row of decision.inserts) {
    const expected = isRecord(row) ? { isClosed: true } : { status: 'ready', isClosed: false }
    expect(row, 'a new row').toMatchObject({ ...expected, retryAttempts: 0 })
    expect(family.has(row.executionId), `${row.executionId} was not there before`).toBe(false)
  }
}

/** What cannot be decided yet says what it wants. */
export function expectWanting({ kind, fanInIds, outputIds, rowIds, failedCountIds }: Wanted): void {
  expect(kind).toBe('wanted')
  expect(fanInIds.length + outputIds.length + rowIds.length + failedCountIds.length).toBeGreaterThan(0)
}
