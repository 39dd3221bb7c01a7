/** The contract of storages behind a transaction-mode pooler: the cases that need two connections. */

import { beforeAll, describe } from 'vitest'

import { postgresPlace } from '../postgres/places.ts'
import { testTwoConnections } from '../postgres/two-connections.ts'
import { pooledDatabase } from './places.ts'

let pooled: string

beforeAll(async () => {
  ;({ pooled } = await pooledDatabase())
}, 120_000)

describe('behind a pooler a storage keeps the contract between two connections', () => {
  testTwoConnections(postgresPlace(() => ({ connectionString: pooled })))
})
