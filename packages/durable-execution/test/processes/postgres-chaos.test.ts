/** Four processes on one Postgres, killed, stopped, restarted and cut off while they work through thousands of tasks. */

import { expect, test } from 'vitest'

import { ownServer } from '../postgres/server.ts'
import { CI_ROUNDS_MS, playCiRounds } from './harness/ci-rounds.ts'
import { postgresPlace } from './harness/places.ts'

test(
  'four processes on a server that crashes, killed again and again, lose nothing, finish nothing twice and finalize each parent once',
  async () => {
    const server = await ownServer()
    const rounds = await playCiRounds(() => postgresPlace(server.connectionString, server))
    const total = (kind: 'disconnects' | 'outages'): number =>
      rounds.reduce((sum, figures) => sum + figures[kind], 0)
    expect(total('disconnects')).toBeGreaterThan(0)
    expect(total('outages')).toBeGreaterThan(0)
  },
  CI_ROUNDS_MS,
)
