/** A storage that fails where a test wants it to: a request that is lost, a reply that is lost, one that hangs. */

import { type DurableStorage, type DurableStorageTx } from '../storage/contract.ts'

/**
 * What happens to one transaction. `lost_request`: nothing is done. `lost_reply`: it is committed, and
 * rejects. `lost_in_between`: its writes are made and rolled back. `hang`: it never answers; before the
 * transaction it does nothing, at the commit everything.
 *
 * @category Testing
 */
export type StorageFault = 'lost_request' | 'lost_reply' | 'lost_in_between' | 'hang'

/** Which operations one transaction called, in order, and what it gave them. */
export type TransactionTrace = {
  index: number
  operations: Array<string>
  calls: Array<{ operation: string; args: Array<unknown> }>
}

/**
 * A storage with faults.
 *
 * @category Testing
 */
export type FaultyStorage = DurableStorage & {
  /**
   * Decides before each transaction whether it fails, by its number, from 0. A `lost_request` and `hang`
   * strike before the transaction is begun; the others after its last operation.
   */
  failWhen: (decide: ((index: number) => StorageFault | undefined) | undefined) => void
  /** Fails transactions by what they have called, decided when they are about to commit. */
  failAtCommitWhen: (decide: ((trace: TransactionTrace) => StorageFault | undefined) | undefined) => void
  /** How many transactions were begun. */
  transactions: () => number
  /** What each transaction called. */
  traces: () => ReadonlyArray<TransactionTrace>
}

/** The error of a fault; it looks like what a driver throws. */
export class StorageFaultError extends Error {
  constructor(fault: StorageFault) {
    super(`The connection to the storage broke (${fault})`)
    this.name = 'StorageFaultError'
  }
}

/**
 * Wraps a storage so that its transactions can be made to fail.
 *
 * @category Testing
 */
export function createFaultyStorage(storage: DurableStorage): FaultyStorage {
  let count = 0
  let decideBefore: ((index: number) => StorageFault | undefined) | undefined
  let decideAtCommit: ((trace: TransactionTrace) => StorageFault | undefined) | undefined
  const traces: Array<TransactionTrace> = []
  const faulty = async <T>(
    run: (
      inside: <R>(tx: DurableStorageTx, fn: (tx: DurableStorageTx) => Promise<R>) => Promise<R>,
    ) => Promise<T>,
  ): Promise<T> => {
    const trace: TransactionTrace = { index: count, operations: [], calls: [] }
    count += 1
    traces.push(trace)
    const before = decideBefore?.(trace.index)
    if (before === 'hang') {
      return await new Promise<never>(() => {})
    }
    if (before === 'lost_request') {
      throw new StorageFaultError(before)
    }
    let after: StorageFault | undefined
    const result = await run(async (tx, fn) => {
      const answer = await fn(recorded(tx, trace))
      after = before ?? decideAtCommit?.(trace)
      if (after === 'lost_in_between' || after === 'lost_request') {
        throw new StorageFaultError(after)
      }
      return answer
    })
    if (after === 'hang') {
      return await new Promise<never>(() => {})
    }
    if (after !== undefined) {
      throw new StorageFaultError(after)
    }
    return result
  }
  const share = storage.shareTransaction?.bind(storage)
  return {
    ...optionalMembersOf(storage),
    withTransaction: async (fn, hint) =>
      await faulty(async (inside) => await storage.withTransaction(async (tx) => await inside(tx, fn), hint)),
    ...(share && {
      shareTransaction: async <T>(
        use: (transaction: object) => Promise<T>,
        keep: (tx: DurableStorageTx, value: T) => Promise<void>,
      ) =>
        await faulty(
          async (inside) =>
            await share(use, async (tx, value) => {
              await inside(tx, async (traced) => {
                await keep(traced, value)
              })
            }),
        ),
    }),
    failWhen: (decide) => {
      decideBefore = decide
    },
    failAtCommitWhen: (decide) => {
      decideAtCommit = decide
    },
    transactions: () => count,
    traces: () => traces,
  }
}

const OPTIONAL_MEMBERS = [
  'getCurrentTime',
  'onChange',
  'notifyChange',
  'joinTransaction',
  'migrate',
  'close',
] as const

function optionalMembersOf(storage: DurableStorage): Partial<DurableStorage> {
  const members: Record<string, unknown> = {}
  for (const name of OPTIONAL_MEMBERS) {
    const member = storage[name]
    if (member !== undefined) {
      members[name] = (...args: Array<never>): unknown => Reflect.apply(member, storage, args)
    }
  }
  return members
}

/** The transaction, noting which of its operations are called. */
function recorded(tx: DurableStorageTx, trace: TransactionTrace): DurableStorageTx {
  return new Proxy(tx, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== 'function') {
        return member
      }
      return (...args: Array<unknown>): unknown => {
        trace.operations.push(String(name))
        trace.calls.push({ operation: String(name), args })
        return Reflect.apply(member, target, args)
      }
    },
  })
}
