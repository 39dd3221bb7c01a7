import { expect, test } from 'vitest'

import { type DurableStorageTx } from '../../storage/contract.ts'
import { createInMemoryStorage } from '../../storage/memory/in-memory-storage.ts'
import { RunHistory } from './history.ts'
import { RecordReader } from './record-reader.ts'

test('what could not be read at first is read when it is asked for again', async () => {
  const storage = createInMemoryStorage()
  let failures = 1
  const transact = async <T>(fn: (tx: DurableStorageTx) => Promise<T>): Promise<T> => {
    if (failures > 0) {
      failures -= 1
      throw new Error('the storage is away')
    }
    return await storage.withTransaction(fn)
  }
  const history = new RunHistory('te_1', new RecordReader(transact), false)
  await expect(history.get(['te_1:step:1'])).rejects.toThrow('the storage is away')
  expect(await history.get(['te_1:step:1'])).toEqual([undefined])
  expect(history.isWhole).toBe(true)
})
