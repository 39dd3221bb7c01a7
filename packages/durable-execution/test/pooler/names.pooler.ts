/** A pooler that cannot be told from a server by the settings of its connections: names of statements are given up. */

import { Client } from 'pg'
import { expect, onTestFinished, test } from 'vitest'

import { createPostgresStorage, POSTGRES_SESSION_OPTIONS } from '../../src/storage/postgres/index.ts'
import { newSchema } from '../postgres/places.ts'
import { readyIds, rowOf } from '../postgres/rows.ts'
import { pooledDatabase } from './places.ts'

test('behind a pooler whose server has the settings of the plans single calls go through', async () => {
  // It neither takes the settings nor refuses them, and knows nothing of statements that have names.
  const { direct, pooled } = await pooledDatabase({
    ignore_startup_parameters: 'options',
  })
  await setForAll(direct, POSTGRES_SESSION_OPTIONS)
  const schema = newSchema()
  const storages = Array.from({ length: 3 }, () =>
    createPostgresStorage({ connectionString: pooled, schema, hints: false }),
  )
  onTestFinished(async () => {
    await Promise.all(storages.map((storage) => storage.close()))
  })
  const ids: Array<string> = []
  for (let round = 0; round < 10; round += 1) {
    const inserts = storages.flatMap((storage, place) =>
      Array.from({ length: 8 }, async (_, index) => {
        const executionId = `te_${round}_${place}_${index}`
        ids.push(executionId)
        await storage.withTransaction(async (tx) => await tx.insertTaskExecutions([rowOf(executionId)]), {
          oneCall: true,
        })
      }),
    )
    await Promise.all(inserts)
  }
  const [storage] = storages
  expect(storage && (await readyIds(storage)).toSorted()).toEqual(ids.toSorted())
})

/** Makes them the settings of every connection to the database. */
async function setForAll(connectionString: string, options: string): Promise<void> {
  const client = new Client({ connectionString })
  await client.connect()
  const name = new URL(connectionString).pathname.slice(1)
  for (const [, setting, value] of options.matchAll(/-c (\w+)=(\S+)/g)) {
    await client.query(`alter database "${name}" set ${setting} = ${value}`)
  }
  await client.end()
}
