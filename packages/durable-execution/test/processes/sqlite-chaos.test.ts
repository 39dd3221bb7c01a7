/** Four processes on one SQLite file, killed, stopped and restarted while they work through thousands of tasks. */

import { test } from 'vitest'

import { CI_ROUNDS_MS, playCiRounds } from './harness/ci-rounds.ts'
import { sqlitePlace } from './harness/places.ts'

test(
  'four processes on one file that are killed again and again lose nothing, finish nothing twice and finalize each parent once',
  async () => {
    await playCiRounds(sqlitePlace)
  },
  CI_ROUNDS_MS,
)
