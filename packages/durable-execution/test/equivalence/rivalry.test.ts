/** Two executors on two connections, interleaved statement by statement, never both have a row, and lose nothing. */

import * as fc from 'fast-check'
import { afterAll, beforeAll, describe } from 'vitest'

import { freshDatabase } from '../postgres/server.ts'
import { deeds } from './deeds.ts'
import { checkRivalry } from './rivalry.ts'
import { testProperty } from './runs.ts'
import { type TwoConnections } from './serial.ts'
import { type MakeTwo, twoBetterSqlite, twoNodeSqlite, twoPostgres } from './two-connections.ts'

let connectionString = ''

beforeAll(async () => {
  connectionString = await freshDatabase()
}, 60_000)

const STORAGES: ReadonlyArray<[name: string, make: MakeTwo, runs: number]> = [
  ['SQLite by node:sqlite', twoNodeSqlite, 150],
  ['SQLite by better-sqlite3', twoBetterSqlite, 150],
  ['Postgres', twoPostgres(() => connectionString, 'shown', false), 200],
  ['Postgres with its optional members hidden', twoPostgres(() => connectionString, 'hidden', true), 150],
]

const rivalry = fc.record({
  actors: fc.tuple(deeds, deeds),
  schedule: fc.array(fc.nat({ max: 1 }), { minLength: 1, maxLength: 24 }),
})

describe.each(STORAGES)('two executors on %s', (_name, make, runs) => {
  let world: TwoConnections

  beforeAll(async () => {
    world = await make()
  })

  afterAll(async () => {
    await world.close()
  })

  testProperty(
    'never both have a row, and keep all that is committed and nothing else',
    fc.asyncProperty(rivalry, async (given) => {
      await checkRivalry(world, given)
    }),
    runs,
  )
})
