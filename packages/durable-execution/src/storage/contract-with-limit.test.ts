/** The helper of the contract: updates at most so many of those that match. */

import { describe, expect, test } from 'vitest'

import {
  alreadyExistsMessage,
  type DurableStorageTx,
  type DurableTaskExecutionStorageWhere,
} from './contract.ts'
import { updateTaskExecutionsWithLimit } from './contract-with-limit.ts'

type Calls = Array<Array<unknown>>

// A transaction that finds the given ids and updates those of them that it is told to.
function recordingTx(
  found: Array<string>,
  updated: Array<string> = found,
): { tx: DurableStorageTx; calls: Calls } {
  const calls: Calls = []
  const tx: DurableStorageTx = {
    insertTaskExecutions: () => {},
    getTaskExecutions: () => [],
    getTaskExecutionIds: (...args) => {
      calls.push(['find', ...args])
      return found
    },
    updateTaskExecutions: async (...args) => {
      calls.push(['update', ...args])
      return updated
    },
  }
  return { tx, calls }
}

const update = { updatedAt: new Date(5) }
const byStart: DurableTaskExecutionStorageWhere = {
  type: 'by_start_at_less_than',
  statuses: ['ready'],
  startAtLessThan: new Date(9),
}

describe('an update with a limit', () => {
  test.each([undefined, -1, NaN])('of %s is a plain update', async (limit) => {
    const { tx, calls } = recordingTx(['a'])
    await updateTaskExecutionsWithLimit(tx, byStart, update, limit)
    expect(calls).toEqual([['update', byStart, update]])
  })

  test('of 0 touches nothing', async () => {
    const { tx, calls } = recordingTx(['a'])
    const ids = await updateTaskExecutionsWithLimit(tx, byStart, update, 0)
    expect([ids, calls]).toEqual([[], []])
  })

  test('finds at most so many, then updates those that still have the statuses', async () => {
    const { tx, calls } = recordingTx(['a', 'b'])
    await updateTaskExecutionsWithLimit(tx, byStart, update, 2)
    expect(calls).toEqual([
      ['find', byStart, 2],
      ['update', { type: 'by_execution_ids', executionIds: ['a', 'b'], statuses: ['ready'] }, update],
    ])
  })

  test.each([true, false])('passes on needsPromiseCancellation: %s', async (needsPromiseCancellation) => {
    const { tx, calls } = recordingTx(['a'])
    const where: DurableTaskExecutionStorageWhere = {
      type: 'by_execution_ids',
      executionIds: ['a', 'b'],
      needsPromiseCancellation,
    }
    await updateTaskExecutionsWithLimit(tx, where, update, 1)
    expect(calls[1]).toEqual([
      'update',
      { type: 'by_execution_ids', executionIds: ['a'], needsPromiseCancellation },
      update,
    ])
  })

  test('returns the ids that the update changed, not those that were found', async () => {
    const { tx } = recordingTx(['a', 'b'], ['b'])
    await expect(updateTaskExecutionsWithLimit(tx, byStart, update, 2)).resolves.toEqual(['b'])
  })

  test('updates nothing when nothing is found', async () => {
    const { tx, calls } = recordingTx([])
    const ids = await updateTaskExecutionsWithLimit(tx, byStart, update, 2)
    expect([ids, calls.length]).toEqual([[], 1])
  })
})

test('the error of an insert names the id that exists', () => {
  expect(alreadyExistsMessage('te_1')).toBe('Task execution te_1 already exists')
})
