/** Four processes on one Postgres, killed, stopped, restarted and cut off while they work through thousands of tasks. */

import { expect, test } from 'vitest'

import { freshDatabase } from '../postgres/server.ts'
import { CI_ROUNDS_MS, playCiRounds } from './harness/ci-rounds.ts'
import { postgresPlace } from './harness/places.ts'

test(
  'four processes on one server that are killed again and again lose nothing, finish nothing twice and finalize each parent once',
  async () => {
    const database = await freshDatabase()
    const rounds = await playCiRounds(() => postgresPlace(database))
    expect(Math.max(...rounds.map(({ disconnects }) => disconnects))).toBeGreaterThan(0)
  },
  CI_ROUNDS_MS,
)
