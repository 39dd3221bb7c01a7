/** Turns of the event loop that count only while a storage has nothing to answer, for a clock that is moved. */

import { type DurableStorage } from '../../../src/storage/contract.ts'

const realSetImmediate = globalThis.setImmediate

let underWay = 0
const waiting: Array<() => void> = []

function afterAnswers(fn: () => void): void {
  realSetImmediate(() => {
    if (underWay === 0) {
      fn()
    } else {
      waiting.push(fn)
    }
  })
}

/**
 * The clock that a test moves lets come to rest what is under way, by turns of the event loop. Postgres answers
 * in its own time, so from now on no turn counts while a storage of {@link countAnswers} has something to
 * answer. Gives what ends this.
 */
export function countTurnsAfterAnswers(): () => void {
  globalThis.setImmediate = afterAnswers as typeof setImmediate
  return () => {
    globalThis.setImmediate = realSetImmediate
  }
}

async function counted<T>(work: () => Promise<T>): Promise<T> {
  underWay += 1
  try {
    return await work()
  } finally {
    answered()
  }
}

function answered(): void {
  underWay -= 1
  if (underWay === 0) {
    waiting.splice(0).forEach(afterAnswers)
  }
}

type Client = { query: (...given: Array<unknown>) => Promise<unknown> }

/** The storage, without its clock, since the test has its own; what is under way on it is counted. */
export function countAnswers(storage: DurableStorage): DurableStorage {
  const { joinTransaction, shareTransaction } = storage
  return {
    withTransaction: async (fn, hint) => await counted(async () => await storage.withTransaction(fn, hint)),
    ...(joinTransaction && {
      joinTransaction: async (transaction) => await counted(async () => await joinTransaction(transaction)),
    }),
    ...(shareTransaction && {
      shareTransaction: async (use, keep) =>
        await counted(
          async () =>
            await shareTransaction(async (client) => {
              // While the function is at work only its statements are under way.
              answered()
              const { query } = client as Client
              try {
                return await use({
                  query: async (...given: Array<unknown>) => await counted(async () => await query(...given)),
                })
              } finally {
                underWay += 1
              }
            }, keep),
        ),
    }),
  }
}
