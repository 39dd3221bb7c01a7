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

/** The storage, without its clock, since the test has its own; what is under way on it is counted. */
export function countAnswers(storage: DurableStorage): DurableStorage {
  return {
    withTransaction: async (fn, hint) => {
      underWay += 1
      try {
        return await storage.withTransaction(fn, hint)
      } finally {
        underWay -= 1
        if (underWay === 0) {
          waiting.splice(0).forEach(afterAnswers)
        }
      }
    },
  }
}
