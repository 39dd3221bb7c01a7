/** The table of faults in short, one day for all kinds, on the oldest Postgres and under another default isolation. */

import { afterAll, beforeAll, describe, test } from 'vitest'

import { POSTGRES_SESSION_OPTIONS } from '../../../src/storage/postgres/index.ts'
import { ownServer } from '../server.ts'
import { countTurnsAfterAnswers } from './answered-turns.ts'
import { liveThroughFaults, type Server, STRUCK_KINDS } from './fault-table.ts'

const SERIALIZABLE = '-c default_transaction_isolation=serializable'

let newest: string
let oldest: string
let stopCounting: () => void

beforeAll(async () => {
  newest = await (await ownServer({ tcp: true })).createDatabase()
  oldest = await (await ownServer({ tcp: true, version: 14 })).createDatabase()
  stopCounting = countTurnsAfterAnswers()
}, 120_000)

afterAll(() => stopCounting())

const VARIANTS: Array<[name: string, server: () => Server]> = [
  ['Postgres 14', () => ({ connectionString: oldest, sessionOptions: POSTGRES_SESSION_OPTIONS })],
  // Without the settings of the plans each single call has a transaction around it, so other messages are lost.
  ['Postgres 14 and a pool without settings', () => ({ connectionString: oldest, sessionOptions: '' })],
  [
    'a pool whose default is serializable',
    () => ({ connectionString: newest, sessionOptions: SERIALIZABLE }),
  ],
  [
    'a pool with the settings of the plans whose default is serializable',
    () => ({
      connectionString: newest,
      sessionOptions: `${POSTGRES_SESSION_OPTIONS} ${SERIALIZABLE}`,
    }),
  ],
]

describe.each(VARIANTS)('with %s', (_, server) => {
  test('nothing is lost though a transaction of each kind is lost before its commit', async () => {
    await liveThroughFaults(server(), STRUCK_KINDS, 'lost_request')
  })

  test('nothing is done twice though the reply to a transaction of each kind is lost', async () => {
    await liveThroughFaults(server(), STRUCK_KINDS, 'lost_reply')
  })
})
