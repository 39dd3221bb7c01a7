/** The storage contract as it was published, against ours: each must take what is written for the other. */

import {
  createInMemoryStorage,
  DurableExecutor,
  type DurableStorage,
  type DurableStorageTx,
  type DurableTaskExecutionStorageObject,
  type DurableTaskExecutionStorageObjectUpdate,
  type DurableTaskExecutionStorageWhere,
} from 'durable-execution'
import { createSqliteStorage } from 'durable-execution/sqlite'
import { expect, expectTypeOf, test } from 'vitest'

import type * as seed from './seed/storage.ts'

test('a storage written for the published contract is accepted', () => {
  const tx: seed.DurableStorageTx = {
    insertTaskExecutions: () => {},
    getTaskExecutionIds: () => [],
    getTaskExecutions: async () => [],
    updateTaskExecutions: () => [],
  }
  const storage: seed.DurableStorage = { withTransaction: (fn) => fn(tx) }
  expect(new DurableExecutor(storage)).toBeInstanceOf(DurableExecutor)
  expectTypeOf<seed.DurableStorage>().toExtend<DurableStorage>()
  expectTypeOf<seed.DurableStorageTx>().toExtend<DurableStorageTx>()
})

test('our storages satisfy the published contract', () => {
  expectTypeOf<DurableStorage>().toExtend<seed.DurableStorage>()
  expectTypeOf<DurableStorageTx>().toExtend<seed.DurableStorageTx>()
  expectTypeOf(createInMemoryStorage).toExtend<typeof seed.createInMemoryStorage>()
  expectTypeOf<ReturnType<typeof createSqliteStorage>>().toExtend<seed.DurableStorage>()
})

test('rows, updates and clauses are those of the contract, and ours may only hold more', () => {
  expectTypeOf<DurableTaskExecutionStorageObject>().toExtend<seed.DurableTaskExecutionStorageObject>()
  expectTypeOf<seed.DurableTaskExecutionStorageObject>().toExtend<DurableTaskExecutionStorageObject>()
  expectTypeOf<seed.DurableTaskExecutionStorageObjectUpdate>().toExtend<DurableTaskExecutionStorageObjectUpdate>()
  expectTypeOf<DurableTaskExecutionStorageObjectUpdate>().toExtend<seed.DurableTaskExecutionStorageObjectUpdate>()
  expectTypeOf<DurableTaskExecutionStorageWhere>().toEqualTypeOf<seed.DurableTaskExecutionStorageWhere>()
})

test('the helpers have the signatures of the contract', async () => {
  type Ours = typeof import('durable-execution')
  type Declared = typeof seed
  expectTypeOf<Ours['createTransactionMutex']>().toExtend<Declared['createTransactionMutex']>()
  expectTypeOf<Ours['updateTaskExecutionsWithLimit']>().toExtend<Declared['updateTaskExecutionsWithLimit']>()
  expectTypeOf<Ours['createDurableTaskExecutionStorageObject']>().toExtend<
    Declared['createDurableTaskExecutionStorageObject']
  >()
  expectTypeOf<Ours['convertTaskExecutionStorageObjectToTaskExecution']>().toExtend<
    Declared['convertTaskExecutionStorageObjectToTaskExecution']
  >()
  expectTypeOf<Ours['getDurableTaskExecutionStorageObjectParentError']>().toExtend<
    Declared['getDurableTaskExecutionStorageObjectParentError']
  >()
  const ours: Record<string, unknown> = await import('durable-execution')
  const names = [
    'createTransactionMutex',
    'updateTaskExecutionsWithLimit',
    'createDurableTaskExecutionStorageObject',
    'convertTaskExecutionStorageObjectToTaskExecution',
    'getDurableTaskExecutionStorageObjectParentError',
    'createInMemoryStorage',
  ]
  expect(names.filter((name) => typeof ours[name] !== 'function')).toEqual([])
})
