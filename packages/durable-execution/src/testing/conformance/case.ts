/** What a conformance case is: one rule, and a program that fails on a storage which breaks it. */

import { type DurableStorage, type DurableStorageTx } from '../../storage/contract.ts'

/**
 * What a case cannot do without: that the same place can be opened twice, that the storage shares transactions, or an optional
 * member of a transaction.
 *
 * @category Testing
 */
export type ConformanceNeed =
  | 'two_connections'
  | 'shareTransaction'
  | Exclude<
      keyof DurableStorageTx,
      'insertTaskExecutions' | 'getTaskExecutionIds' | 'getTaskExecutions' | 'updateTaskExecutions'
    >

/**
 * Where a case runs.
 *
 * @category Testing
 */
export type ConformanceWorld = {
  /**
   * Opens the storage, empty before the first call. Further calls open the same place again, as
   * another process would; only cases that need `two_connections` make them.
   */
  open: () => Promise<DurableStorage>
}

/**
 * One case of the conformance suite.
 *
 * @category Testing
 */
export type ConformanceCase = {
  /** A plain sentence; unique and stable, so that others may refer to it. */
  name: string
  /** The rule of the contract that it holds the storage to. */
  rule: string
  /** What the case cannot do without; nothing when absent. */
  needs?: ReadonlyArray<ConformanceNeed>
  /** Rejects if the rule is broken. */
  run: (world: ConformanceWorld) => Promise<void>
}
