/** Two connections, interleaved statement by statement, end as if their transactions had run one after the other. */

import type * as fc from 'fast-check'
import { beforeAll } from 'vitest'

import { freshDatabase } from '../postgres/server.ts'
import { anyMeeting, lockingMeeting } from './meetings.ts'
import { compareMeeting, type Meeting } from './serial.ts'
import { testWorld } from './test-world.ts'
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

for (const [name, make, given, runs] of STORAGES) {
  testWorld(`two connections of ${name}`, make, {
    title: 'end as if one transaction had run after the other',
    given,
    check: compareMeeting,
    runs,
  })
}
