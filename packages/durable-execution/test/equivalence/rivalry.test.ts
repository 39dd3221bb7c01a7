/** Two executors on two connections, interleaved statement by statement, never both have a row, and lose nothing. */

import * as fc from 'fast-check'
import { beforeAll } from 'vitest'

import { freshDatabase } from '../postgres/server.ts'
import { deeds } from './deeds.ts'
import { checkRivalry } from './rivalry.ts'
import { testWorld } from './test-world.ts'
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

for (const [name, make, runs] of STORAGES) {
  testWorld(`two executors on ${name}`, make, {
    title: 'never both have a row, and keep all that is committed and nothing else',
    given: rivalry,
    check: checkRivalry,
    runs,
  })
}
