/** Trees of whole executors behind a transaction-mode pooler, on a clock that is moved. */

import { afterAll, beforeAll, describe, it } from 'vitest'

import { runEngineConformance } from '../../src/testing/conformance/engine/run-engine-conformance.ts'
import { countAnswers, countTurnsAfterAnswers } from '../postgres/faults/answered-turns.ts'
import { postgresPlace } from '../postgres/places.ts'
import { wrapPlace } from '../storages/places.ts'
import { pooledDatabase } from './places.ts'

let pooled: string
let stopCounting: () => void

beforeAll(async () => {
  ;({ pooled } = await pooledDatabase())
  stopCounting = countTurnsAfterAnswers()
}, 120_000)

afterAll(() => stopCounting())

runEngineConformance({
  name: 'Postgres behind a pooler',
  describe,
  it,
  create: wrapPlace(
    postgresPlace(() => ({ connectionString: pooled, maxConnections: 5 })),
    countAnswers,
  ),
  themes: ['trees'],
})
