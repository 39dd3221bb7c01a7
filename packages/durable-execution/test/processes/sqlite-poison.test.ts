/** A task that kills its process, on one SQLite file. */

import { sqlitePlace } from './harness/places.ts'
import { testPoison } from './poison.ts'

testPoison(sqlitePlace)
