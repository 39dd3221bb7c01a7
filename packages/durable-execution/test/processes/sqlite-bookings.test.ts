/** Transactions in code, whose processes are killed, on one SQLite file. */

import { testBookings } from './bookings.ts'
import { sqlitePlace } from './harness/places.ts'

testBookings(sqlitePlace)
