import { expect, test } from 'vitest'

import { callId, recordRow, signalId, stateId } from '../../machine/records.ts'
import { NOW, ready } from '../../machine/rows.test-support.ts'
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

test('what counts is what earlier runs remembered: no signals, no state, and nothing that is only looked for', async () => {
  const storage = createInMemoryStorage()
  const of = ready({ executionId: 'te_1' })
  const record = (executionId: string, kind: '#step' | '#signal' | '#state'): ReturnType<typeof recordRow> =>
    recordRow(of, { executionId, kind, output: '1' }, NOW)
  await storage.withTransaction(async (tx) => {
    await tx.insertTaskExecutions([
      record(callId('te_1', 'one', 1), '#step'),
      record(callId('te_1', 'two', 1), '#step'),
      record(signalId('te_1', 'go', 1), '#signal'),
      record(stateId('te_1'), '#state'),
    ])
  })
  const history = new RunHistory('te_1', new RecordReader((fn) => storage.withTransaction(fn)), false)
  await history.get([])
  expect(history.size).toBe(2)
  await storage.withTransaction(async (tx) => {
    await tx.insertTaskExecutions([
      record(callId('te_1', 'three', 1), '#step'),
      record(signalId('te_1', 'go', 2), '#signal'),
    ])
  })
  await history.look([callId('te_1', 'three', 1), signalId('te_1', 'go', 2), callId('te_1', 'one', 1)])
  expect(history.known(callId('te_1', 'three', 1))?.output).toBe('1')
  expect(history.size).toBe(2)
})
