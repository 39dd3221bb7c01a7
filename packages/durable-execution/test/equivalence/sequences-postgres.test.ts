/** Random sequences of commands leave in Postgres what they leave in memory, and answer the same. */

import { beforeAll } from 'vitest'

import { freshDatabase } from '../postgres/server.ts'
import { testEquivalence } from './test-equivalence.ts'
import { hidden, postgres } from './worlds.ts'

let connectionString = ''

beforeAll(async () => {
  connectionString = await freshDatabase()
}, 60_000)

testEquivalence(
  'Postgres',
  postgres(() => connectionString, 'members shown'),
)
testEquivalence(
  'Postgres with its optional members hidden',
  hidden(postgres(() => connectionString, 'members hidden')),
)
