/** A few processes on one SQLite file. */

import { testHandovers } from './handovers.ts'
import { sqlitePlace } from './harness/places.ts'

testHandovers(sqlitePlace)
