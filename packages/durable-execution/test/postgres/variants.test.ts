/** The cases of two connections on the oldest Postgres, under another default isolation, and on a user's pool. */

import { Pool } from 'pg'
import { afterAll, beforeAll, describe } from 'vitest'

import { type PostgresStorageOptions, POSTGRES_SESSION_OPTIONS } from '../../src/storage/postgres/index.ts'
import { postgresPlace } from './places.ts'
import { freshDatabase, ownServer } from './server.ts'
import { testTwoConnections } from './two-connections.ts'

const SERIALIZABLE = '-c default_transaction_isolation=serializable'

let newest: string
let oldest: string
const pools: Array<Pool> = []

beforeAll(async () => {
  newest = await freshDatabase()
  oldest = await (await ownServer({ version: 14 })).createDatabase()
}, 120_000)

afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.end()))
})

/** A user's pool, which lives as long as the tests. */
const poolOf = (connectionString: string, options: string): PostgresStorageOptions => {
  const pool = new Pool({ connectionString, options, max: 4, idleTimeoutMillis: 100 })
  pools.push(pool)
  return { pool }
}

const VARIANTS: Array<[name: string, options: () => PostgresStorageOptions]> = [
  ['Postgres 14', () => ({ connectionString: oldest })],
  ['Postgres 14 and a pool without settings', () => poolOf(oldest, '')],
  ['a pool whose default is serializable', () => poolOf(newest, SERIALIZABLE)],
  [
    'a pool with the settings of the plans whose default is serializable',
    () => poolOf(newest, `${POSTGRES_SESSION_OPTIONS} ${SERIALIZABLE}`),
  ],
]

describe.each(VARIANTS)('%s keeps the contract between two connections', (_, options) => {
  testTwoConnections(postgresPlace(options))
})
