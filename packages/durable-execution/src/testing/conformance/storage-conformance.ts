/** The conformance suite of storages: all cases, and a way to run them in any test runner. */

import assert from 'node:assert/strict'

import { type DurableStorage } from '../../storage/contract.ts'
import { batchCases } from './batch-cases.ts'
import { type ConformanceCase, type ConformanceNeed } from './case.ts'
import { claimCases } from './claim-cases.ts'
import { claimPriorityCases } from './claim-priority-cases.ts'
import { idRangeCases } from './id-range-cases.ts'
import { insertCases } from './insert-cases.ts'
import { insertIfMissingCases } from './insert-if-missing-cases.ts'
import { interleavingCases } from './interleaving-cases.ts'
import { memberCases } from './member-cases.ts'
import { memberInterleavingCases } from './member-interleaving-cases.ts'
import { orderCases } from './order-cases.ts'
import { recipeCases } from './recipe-cases.ts'
import { shareCases } from './share-cases.ts'
import { sizeCases } from './size-cases.ts'
import { transactionCases } from './transaction-cases.ts'
import { updateCases } from './update-cases.ts'
import { updateWithLimitCases } from './update-with-limit-cases.ts'
import { valueCases } from './value-cases.ts'
import { whereCases } from './where-cases.ts'

/**
 * All cases that a storage must pass. Each needs an empty storage of its own.
 *
 * @category Testing
 */
export function storageConformanceCases(): Array<ConformanceCase> {
  return [
    ...insertCases,
    ...whereCases,
    ...orderCases,
    ...updateCases,
    ...transactionCases,
    ...valueCases,
    ...updateWithLimitCases,
    ...claimCases,
    ...claimPriorityCases,
    ...batchCases,
    ...memberCases,
    ...idRangeCases,
    ...shareCases,
    ...insertIfMissingCases,
    ...sizeCases,
    ...interleavingCases,
    ...memberInterleavingCases,
    ...recipeCases,
  ]
}

/**
 * A fresh, empty place to keep rows in.
 *
 * @category Testing
 */
export type ConformancePlace = {
  /** Opens it. Where `canOpenTwice`, a second call opens the same place again, as another process would. */
  open: () => Promise<DurableStorage>
  /** Whether `open` may be called twice. */
  canOpenTwice: boolean
  /** Closes what was opened, and removes the place. */
  cleanup: () => Promise<void>
}

/** Registers a test; `test` and `it` of vitest and of node:test fit. */
type RegisterTest = (title: string, fn: () => Promise<void>) => unknown

/**
 * What the suite is told about a storage and the test runner.
 *
 * @category Testing
 */
export type StorageConformanceOptions = {
  /** What to call the storage in the titles. */
  name: string
  /** Groups tests; `describe` of vitest and of node:test fit. */
  describe: (title: string, fn: () => void) => unknown
  /** Registers a test; those that are left out are given to `it.skip`, if there is one. */
  it: RegisterTest & { skip?: RegisterTest }
  /** Makes a fresh place for each case. */
  create: () => Promise<ConformancePlace>
  /**
   * What the storage does not offer, each with the reason, which appears in the titles of the cases that
   * are left out because of it. A case whose need is neither offered nor named here fails.
   */
  without?: Partial<Record<ConformanceNeed, string>> | undefined
}

/**
 * Registers one test for each case of the suite.
 *
 * @example
 * ```ts
 * import { createInMemoryStorage } from 'durable-execution'
 * import { runStorageConformance } from 'durable-execution/testing'
 * import { describe, it } from 'vitest'
 *
 * runStorageConformance({
 *   name: 'my storage',
 *   describe,
 *   it,
 *   create: async () => {
 *     const storage = createInMemoryStorage()
 *     return { open: async () => storage, canOpenTwice: false, cleanup: async () => {} }
 *   },
 *   without: { two_connections: 'memory belongs to one process', shareTransaction: 'it has no rows of yours' },
 * })
 * ```
 *
 * @category Testing
 */
export function runStorageConformance({
  name,
  describe,
  it,
  create,
  without = {},
}: StorageConformanceOptions): void {
  describe(`${name} keeps the storage contract`, () => {
    for (const conformanceCase of storageConformanceCases()) {
      const reason = reasonToSkip(conformanceCase, without)
      if (reason === undefined) {
        it(conformanceCase.name, () => runCase(conformanceCase, create))
      } else {
        const leaveOut = it.skip ?? it
        leaveOut(`${conformanceCase.name} (left out: ${reason})`, () => Promise.resolve())
      }
    }
  })
}

function reasonToSkip(
  { needs = [] }: ConformanceCase,
  without: Partial<Record<ConformanceNeed, string>>,
): string | undefined {
  return needs.map((need) => without[need]).find((reason) => reason !== undefined)
}

async function runCase(
  { needs = [], run }: ConformanceCase,
  create: () => Promise<ConformancePlace>,
): Promise<void> {
  const place = await create()
  try {
    assert.ok(
      place.canOpenTwice || !needs.includes('two_connections'),
      'this storage cannot be opened twice. Say why in `without.two_connections`',
    )
    await run({ open: place.open })
  } finally {
    await place.cleanup()
  }
}
