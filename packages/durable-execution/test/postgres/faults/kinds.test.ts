/** Every kind of engine transaction over a real line to Postgres, which breaks before the commit or after it. */

import { afterAll, beforeAll, describe, test } from 'vitest'

import { POSTGRES_SESSION_OPTIONS } from '../../../src/storage/postgres/index.ts'
import { ownServer } from '../server.ts'
import { countTurnsAfterAnswers } from './answered-turns.ts'
import { liveThroughFaults, STRUCK_KINDS } from './fault-table.ts'

let connectionString: string
let stopCounting: () => void

beforeAll(async () => {
  connectionString = await (await ownServer({ tcp: true })).createDatabase()
  stopCounting = countTurnsAfterAnswers()
}, 120_000)

afterAll(() => stopCounting())

describe.each(STRUCK_KINDS)('a transaction of the kind %s', (kind) => {
  test('is done in the end though its connection breaks before the server sees the commit', async () => {
    await liveThroughFaults(
      { connectionString, sessionOptions: POSTGRES_SESSION_OPTIONS },
      [kind],
      'lost_request',
    )
  })

  test('is done once though its connection breaks after the commit', async () => {
    await liveThroughFaults(
      { connectionString, sessionOptions: POSTGRES_SESSION_OPTIONS },
      [kind],
      'lost_reply',
    )
  })
})
