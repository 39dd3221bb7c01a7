/** Two connections, interleaved statement by statement, end as if their transactions had run one after the other. */

import * as fc from 'fast-check'
import { afterAll, beforeAll, describe } from 'vitest'

import { freshDatabase } from '../postgres/server.ts'
import { anyMeeting, lockingMeeting } from './meetings.ts'
import { testProperty } from './runs.ts'
import { compareMeeting, type Meeting, type TwoConnections } from './serial.ts'
import { type MakeTwo, twoBetterSqlite, twoNodeSqlite, twoPostgres } from './two-connections.ts'

let connectionString = ''

beforeAll(async () => {
  connectionString = await freshDatabase()
}, 60_000)

const STORAGES: ReadonlyArray<[name: string, make: MakeTwo, meeting: fc.Arbitrary<Meeting>, runs: number]> = [
  ['SQLite by node:sqlite', twoNodeSqlite, anyMeeting, 200],
  ['SQLite by better-sqlite3', twoBetterSqlite, anyMeeting, 200],
  ['Postgres', twoPostgres(() => connectionString, 'shown', false), lockingMeeting, 150],
  [
    'Postgres with its optional members hidden',
    twoPostgres(() => connectionString, 'hidden', true),
    lockingMeeting,
    150,
  ],
]

describe.each(STORAGES)('two connections of %s', (_name, make, meeting, runs) => {
  let world: TwoConnections

  beforeAll(async () => {
    world = await make()
  })

  afterAll(async () => {
    await world.close()
  })

  testProperty(
    'end as if one transaction had run after the other',
    fc.asyncProperty(meeting, async (given) => {
      await compareMeeting(world, given)
    }),
    runs,
  )
})
