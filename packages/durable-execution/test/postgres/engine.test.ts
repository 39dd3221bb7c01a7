/** The engine suite over Postgres: whole executors, on a clock that is moved. */

import { afterAll, beforeAll, describe, it } from 'vitest'

import { runEngineConformance } from '../../src/testing/conformance/engine/run-engine-conformance.ts'
import { hideOptionalMembers } from '../../src/testing/hide-optional-members.ts'
import { wrapPlace } from '../storages/places.ts'
import { countAnswers, countTurnsAfterAnswers } from './faults/answered-turns.ts'
import { postgresPlace } from './places.ts'
import { freshDatabase } from './server.ts'

let connectionString: string
let stopCounting: (() => void) | undefined

beforeAll(async () => {
  connectionString = await freshDatabase()
  stopCounting = countTurnsAfterAnswers()
}, 60_000)

afterAll(() => {
  stopCounting?.()
})

const create = wrapPlace(
  postgresPlace(() => ({ connectionString, maxConnections: 5 })),
  countAnswers,
)

runEngineConformance({ name: 'Postgres', describe, it, create })

runEngineConformance({
  name: 'Postgres with its optional members hidden',
  describe,
  it,
  create: wrapPlace(create, hideOptionalMembers),
})
