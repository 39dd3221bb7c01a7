/** The ledger of the server finds what must not have happened. */

import { Client } from 'pg'
import { beforeAll, expect, onTestFinished, test } from 'vitest'

import { createPostgresStorage } from '../../../src/storage/postgres/index.ts'
import { newSchema } from '../places.ts'
import { insert, rowOf } from '../rows.ts'
import { freshDatabase } from '../server.ts'
import { type Audit, keepLedger } from './audit.ts'

let connectionString: string

beforeAll(async () => {
  connectionString = await freshDatabase()
}, 120_000)

const WRONG: Array<[finding: string, changes: Array<string>]> = [
  [
    'a finished row changed its outcome',
    [`status = 'completed', output = '1'`, `status = 'completed', output = '2'`],
  ],
  ['an execution finished twice', [`status = 'failed'`, `status = 'ready'`, `status = 'failed'`]],
  ['an execution was closed twice', ['is_closed = 1', 'is_closed = 0', 'is_closed = 1']],
  [
    'an execution was started though it was not ready',
    [`status = 'running', started_at = 1`, `status = 'running', started_at = 2`],
  ],
  [
    'a claim was not later than the one before',
    [`status = 'running', started_at = 1`, `status = 'ready'`, `status = 'running', started_at = 1`],
  ],
]

test.each(WRONG)('%s', async (finding, changes) => {
  const { audit, change } = await oneRow()
  for (const one of changes) {
    await change(one)
  }
  expect(await audit.findings()).toContain(`${finding}: te_1`)
})

test('a life as it should be leaves nothing to find', async () => {
  const { audit, change } = await oneRow()
  await change(`status = 'running', started_at = 1`)
  await change(`status = 'ready'`)
  await change(`status = 'running', started_at = 2`)
  await change(`status = 'completed', output = '1', finished_at = 3`)
  await change('is_closed = 1')
  expect(await audit.findings()).toEqual([])
})

async function oneRow(): Promise<{ audit: Audit; change: (what: string) => Promise<void> }> {
  const schema = newSchema()
  const storage = createPostgresStorage({ connectionString, schema, hints: false })
  const client = new Client({ connectionString })
  onTestFinished(async () => {
    await client.end()
    await storage.close()
  })
  await client.connect()
  await storage.migrate()
  const audit = await keepLedger(connectionString, schema)
  await insert(storage, rowOf('te_1'))
  return {
    audit,
    change: async (what) => {
      await client.query(`update "${schema}".execution_rows set ${what} where execution_id = 'te_1'`)
    },
  }
}
