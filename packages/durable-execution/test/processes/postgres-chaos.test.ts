/** Four processes on one Postgres, killed, stopped, restarted and cut off while they work through thousands of tasks. */

import { expect, test } from 'vitest'

import { freshDatabase } from '../postgres/server.ts'
import { CI_ROUND_MS, playCiRound } from './harness/ci-round.ts'
import { postgresPlace } from './harness/places.ts'

test(
  'four processes on one server that are killed again and again lose nothing, finish nothing twice and finalize each parent once',
  async () => {
    const database = await freshDatabase()
    const { disconnects } = await playCiRound(() => postgresPlace(database))
    expect(disconnects).toBeGreaterThan(0)
  },
  CI_ROUND_MS,
)
