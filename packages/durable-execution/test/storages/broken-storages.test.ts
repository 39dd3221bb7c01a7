/** Shows that the conformance suite can fail: each storage that is broken on purpose is caught. */

import { expect, test } from 'vitest'

import { type DurableStorage } from '../../src/storage/contract.ts'
import { createInMemoryStorage } from '../../src/storage/memory/in-memory-storage.ts'
import { type ConformanceCase } from '../../src/testing/conformance/case.ts'
import { storageConformanceCases } from '../../src/testing/conformance/storage-conformance.ts'
import { BROKEN_STORAGES, createWithoutTransactions, withSharing } from './broken-storages.ts'

/** The name of the first of the cases that a storage does not pass. */
async function firstFailure(
  create: () => DurableStorage,
  cases: Array<ConformanceCase> = storageConformanceCases(),
): Promise<string | undefined> {
  for (const { name, run } of cases) {
    const storage = withSharing(create())
    const [end] = await Promise.allSettled([run({ open: () => Promise.resolve(storage) })])
    if (end.status === 'rejected') {
      return name
    }
  }
  return undefined
}

test('a sound storage passes all cases in the same way of running them', async () => {
  expect(await firstFailure(createInMemoryStorage)).toBeUndefined()
})

for (const [defect, create] of Object.entries(BROKEN_STORAGES)) {
  test(`a storage is caught that ${defect}`, async () => {
    expect(await firstFailure(create)).toEqual(expect.any(String))
  })
}

for (const words of [
  'is never lost',
  'none is lost',
  'of two closers',
  'wakes it',
  'of a successor',
  'both counted',
]) {
  test(`a storage without locks is caught by the cases of two connections: ${words}`, async () => {
    const cases = storageConformanceCases().filter(
      ({ name, needs }) => needs?.join() === 'two_connections' && name.includes(words),
    )
    expect(await firstFailure(createWithoutTransactions, cases)).toContain(words)
  })
}

test('each case has a name of its own', () => {
  const names = storageConformanceCases().map((conformanceCase) => conformanceCase.name)
  expect(new Set(names).size).toBe(names.length)
})
