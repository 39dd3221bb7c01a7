/** Rows with keys in a transaction that is somebody else's: inserted unless they are there, by whatever the storage offers. */

import { describe, expect, test } from 'vitest'

import { createDurableTaskExecutionStorageObject, type ExecutionRow } from '../machine/execution.ts'
import { type DurableStorage, type DurableStorageTx } from '../storage/contract.ts'
import { createInMemoryStorage } from '../storage/memory/in-memory-storage.ts'
import { hideOptionalMembers } from '../testing/hide-optional-members.ts'
import { insertUnlessThere, type KeyedRows } from './keyed.ts'

const rowOf = (executionId: string, runInput: string): ExecutionRow =>
  createDurableTaskExecutionStorageObject({
    now: new Date(1),
    taskId: 'work',
    executionId,
    retryOptions: { maxAttempts: 0 },
    sleepMsBeforeRun: 0,
    timeoutMs: 1_000,
    runInput,
  })

/** Rows whose ids begin with `k`; those of another input are refused. */
const keyed = (rows: ReadonlyArray<ExecutionRow>): KeyedRows => ({
  has: (executionId) => executionId.startsWith('k'),
  found: ({ executionId, runInput }) => {
    if (rows.find((row) => row.executionId === executionId)?.runInput !== runInput) {
      throw new Error(`${executionId} was used`)
    }
  },
})

const storedInputs = async (tx: DurableStorageTx): Promise<Record<string, string>> => {
  const rows = await tx.getTaskExecutions({ type: 'by_statuses', statuses: ['ready'] })
  return Object.fromEntries(rows.map(({ executionId, runInput }) => [executionId, runInput]))
}

describe.each([
  ['a storage that can insert what is missing', createInMemoryStorage],
  ['the four operations', (): DurableStorage => hideOptionalMembers(createInMemoryStorage())],
])('with %s', (_, create) => {
  const insert = async (tx: DurableStorageTx, ...rows: Array<ExecutionRow>): Promise<void> =>
    await insertUnlessThere(tx, rows, keyed(rows))

  test('what is missing is inserted, and what is there stays', async () => {
    await create().withTransaction(async (tx) => {
      await tx.insertTaskExecutions([rowOf('k1', 'a')])
      await insert(tx, rowOf('plain', 'p'), rowOf('k2', 'b'), rowOf('k1', 'a'), rowOf('k0', 'c'))
      expect(await storedInputs(tx)).toEqual({ k0: 'c', k1: 'a', k2: 'b', plain: 'p' })
      await insert(tx, rowOf('k1', 'a'))
      expect(Object.keys(await storedInputs(tx))).toHaveLength(4)
    })
  })

  test('nothing is inserted where one is refused', async () => {
    await create().withTransaction(async (tx) => {
      await tx.insertTaskExecutions([rowOf('k1', 'a')])
      await expect(insert(tx, rowOf('plain', 'p'), rowOf('k2', 'b'), rowOf('k1', 'other'))).rejects.toThrow(
        'k1 was used',
      )
      expect(await storedInputs(tx)).toEqual({ k1: 'a' })
    })
  })
})

/** A transaction that sees nothing at its first look, as if the row had come just after. */
function blindAtFirst(tx: DurableStorageTx, looks: number = 1): DurableStorageTx {
  let left = looks
  return {
    ...tx,
    getTaskExecutionFields: async (ids, fields) => {
      left -= 1
      return left >= 0 ? [] : ((await tx.getTaskExecutionFields?.(ids, fields)) ?? [])
    },
  }
}

describe('a row that comes after the look', () => {
  test('is no error, and is compared', async () => {
    await createInMemoryStorage().withTransaction(async (tx) => {
      await tx.insertTaskExecutions([rowOf('k1', 'a')])
      const rows = [rowOf('k1', 'a'), rowOf('k2', 'b')]
      await insertUnlessThere(blindAtFirst(tx), rows, keyed(rows))
      expect(await storedInputs(tx)).toEqual({ k1: 'a', k2: 'b' })
      const others = [rowOf('k1', 'other')]
      await expect(insertUnlessThere(blindAtFirst(tx), others, keyed(others))).rejects.toThrow('k1 was used')
    })
  })

  test('and is gone before the next one is inserted again', async () => {
    await createInMemoryStorage().withTransaction(async (tx) => {
      let isThere = true
      const rows = [rowOf('k1', 'a')]
      const deleting: DurableStorageTx = {
        ...blindAtFirst(tx),
        insertTaskExecutionsIfMissing: async (given) => {
          const answer = isThere ? [] : ((await tx.insertTaskExecutionsIfMissing?.(given)) ?? [])
          isThere = false
          return answer
        },
      }
      await insertUnlessThere(deleting, rows, keyed(rows))
      expect(await storedInputs(tx)).toEqual({ k1: 'a' })
    })
  })

  test('that is neither there nor missing is no endless search', async () => {
    await createInMemoryStorage().withTransaction(async (tx) => {
      const rows = [rowOf('k1', 'a')]
      const odd: DurableStorageTx = { ...tx, insertTaskExecutionsIfMissing: () => [] }
      await expect(insertUnlessThere(odd, rows, keyed(rows))).rejects.toThrow(
        'k1 is neither there nor missing',
      )
    })
  })
})

test('rows are inserted in one order, whatever the order they come in', async () => {
  await createInMemoryStorage().withTransaction(async (tx) => {
    const calls: Array<Array<string>> = []
    const recorded: DurableStorageTx = {
      ...tx,
      insertTaskExecutionsIfMissing: async (rows) => {
        calls.push(rows.map((row) => row.executionId))
        return (await tx.insertTaskExecutionsIfMissing?.(rows)) ?? []
      },
    }
    const rows = ['k2', 'k3', 'k1'].map((id) => rowOf(id, id))
    await insertUnlessThere(recorded, rows, keyed(rows))
    expect(calls).toEqual([['k1', 'k2', 'k3']])
  })
})
