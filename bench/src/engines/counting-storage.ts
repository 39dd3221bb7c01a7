/** Counts the transactions that an executor makes on a storage that has no driver under it. */

import { type DurableStorage, type DurableStorageTx } from 'durable-execution'

import { type Asked } from './engine.ts'

/** The storage, and its count: one for each transaction that calls an operation, none for one that calls nothing. */
export function countTransactions(storage: DurableStorage): { counted: DurableStorage; asked: () => Asked } {
  let transactions = 0
  const counted: DurableStorage = {
    ...storage,
    withTransaction: async (fn, hint) => {
      let calls = 0
      return await storage
        .withTransaction(async (tx) => await fn(onEachCall(tx, () => (calls += 1))), hint)
        .finally(() => {
          transactions += calls > 0 ? 1 : 0
        })
    },
  }
  return { counted, asked: () => ({ transactions }) }
}

function onEachCall(tx: DurableStorageTx, tell: () => void): DurableStorageTx {
  return new Proxy(tx, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function') {
        return member
      }
      return (...args: Array<unknown>): unknown => {
        tell()
        return Reflect.apply(member, target, args)
      }
    },
  })
}
