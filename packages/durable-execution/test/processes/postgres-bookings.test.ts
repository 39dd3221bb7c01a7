/** Transactions in code, whose processes are killed, on one Postgres. */

import { beforeAll } from 'vitest'

import { freshDatabase } from '../postgres/server.ts'
import { testBookings } from './bookings.ts'
import { postgresPlace } from './harness/places.ts'

let database: string

beforeAll(async () => {
  database = await freshDatabase()
})

testBookings(() => postgresPlace(database))
