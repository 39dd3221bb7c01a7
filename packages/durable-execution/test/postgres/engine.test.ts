/** The engine suite over Postgres: whole executors, on a clock that is moved. */

import { afterAll, beforeAll, describe, it } from 'vitest'

import { type DurableStorage } from '../../src/storage/contract.ts'
import { runEngineConformance } from '../../src/testing/conformance/engine/run-engine-conformance.ts'
import { hideOptionalMembers } from '../../src/testing/hide-optional-members.ts'
import { wrapPlace } from '../storages/places.ts'
import { postgresPlace } from './places.ts'
import { freshDatabase } from './server.ts'

let connectionString: string
let underWay = 0
const waiting: Array<() => void> = []
const realSetImmediate = globalThis.setImmediate

// The clock that a case moves lets come to rest what is under way, by turns of the event loop. Postgres
// answers in its own time, so no turn counts while it has something to answer.
function afterAnswers(fn: () => void): void {
  realSetImmediate(() => {
    if (underWay === 0) {
      fn()
    } else {
      waiting.push(fn)
    }
  })
}

beforeAll(async () => {
  connectionString = await freshDatabase()
  globalThis.setImmediate = afterAnswers as typeof setImmediate
}, 60_000)

afterAll(() => {
  globalThis.setImmediate = realSetImmediate
})

const create = wrapPlace(
  postgresPlace(() => ({ connectionString, maxConnections: 5 })),
  withoutClock,
)

runEngineConformance({ name: 'Postgres', describe, it, create })

runEngineConformance({
  name: 'Postgres with its optional members hidden',
  describe,
  it,
  create: wrapPlace(create, hideOptionalMembers),
})

/** The storage without its clock, since the case has its own, counting what is under way. */
function withoutClock(storage: DurableStorage): DurableStorage {
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
