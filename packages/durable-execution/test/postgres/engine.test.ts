/** The cases of the engine suite over Postgres. */

import { afterAll, beforeAll, describe, test } from 'vitest'

import { type DurableStorage } from '../../src/storage/contract.ts'
import { createPostgresStorage, type PostgresStorage } from '../../src/storage/postgres/index.ts'
import { type EngineConformanceCase } from '../../src/testing/conformance/engine/case.ts'
import { ATTEMPT_CASES } from '../../src/testing/conformance/engine/cases-attempts.ts'
import { DEFINITION_CASES } from '../../src/testing/conformance/engine/cases-definitions.ts'
import { DIFFERENCE_CASES } from '../../src/testing/conformance/engine/cases-differences.ts'
import { FAILING_CHILDREN_CASES } from '../../src/testing/conformance/engine/cases-failing-children.ts'
import { FINALIZE_CASES } from '../../src/testing/conformance/engine/cases-finalize.ts'
import { INPUT_CASES } from '../../src/testing/conformance/engine/cases-inputs.ts'
import { LIMIT_CASES } from '../../src/testing/conformance/engine/cases-limits.ts'
import { OBSERVING_CASES } from '../../src/testing/conformance/engine/cases-observing.ts'
import { PARENT_CASES } from '../../src/testing/conformance/engine/cases-parents.ts'
import { RECOVERY_CASES } from '../../src/testing/conformance/engine/cases-recovery.ts'
import { SEQUENCE_CASES } from '../../src/testing/conformance/engine/cases-sequences.ts'
import { TIMEOUT_CASES } from '../../src/testing/conformance/engine/cases-timeouts.ts'
import { VIEW_CASES } from '../../src/testing/conformance/engine/cases-views.ts'
import { newSchema } from './places.ts'
import { freshDatabase } from './server.ts'

const GROUPS: Record<string, ReadonlyArray<EngineConformanceCase>> = {
  tasks: [...DEFINITION_CASES, ...INPUT_CASES, ...LIMIT_CASES, ...SEQUENCE_CASES],
  attempts: [...ATTEMPT_CASES, ...TIMEOUT_CASES, ...OBSERVING_CASES, ...VIEW_CASES, ...DIFFERENCE_CASES],
  parents: [...PARENT_CASES, ...FAILING_CHILDREN_CASES, ...FINALIZE_CASES],
  leases: [...RECOVERY_CASES],
}

let connectionString: string
let underWay = 0
const realSetImmediate = globalThis.setImmediate

beforeAll(async () => {
  connectionString = await freshDatabase()
  // The clock that a case moves lets come to rest what is under way, by turns of the event loop. Postgres
  // answers in its own time, so no turn counts while it has something to answer.
  const waiting = (fn: () => void): void => {
    realSetImmediate(() => (underWay > 0 ? waiting(fn) : fn()))
  }
  globalThis.setImmediate = waiting as typeof setImmediate
}, 60_000)

afterAll(() => {
  globalThis.setImmediate = realSetImmediate
})

describe.each(Object.entries(GROUPS))('%s over Postgres', (_, cases) => {
  test.each(cases.map((one) => [`${one.rule}: ${one.name}`, one] as const))('%s', async (_name, one) => {
    const opened: Array<PostgresStorage> = []
    try {
      await one.run({
        open: () => {
          const storage = createPostgresStorage({
            connectionString,
            schema: newSchema(),
            hints: false,
            maxConnections: 5,
          })
          opened.push(storage)
          return Promise.resolve(withoutClock(storage))
        },
      })
    } finally {
      await Promise.all(opened.map((storage) => storage.close()))
    }
  })
})

/** The storage without its clock, since the case has its own, counting what is under way. */
function withoutClock(storage: PostgresStorage): DurableStorage {
  return {
    withTransaction: async (fn, hint) => {
      underWay += 1
      try {
        return await storage.withTransaction(fn, hint)
      } finally {
        underWay -= 1
      }
    },
    migrate: () => storage.migrate(),
    close: () => storage.close(),
  }
}
