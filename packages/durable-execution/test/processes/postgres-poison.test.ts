/** A task that kills its process, on one Postgres. */

import { beforeAll } from 'vitest'

import { freshDatabase } from '../postgres/server.ts'
import { postgresPlace } from './harness/places.ts'
import { testPoison } from './poison.ts'

let database: string

beforeAll(async () => {
  database = await freshDatabase()
})

testPoison(() => postgresPlace(database))
