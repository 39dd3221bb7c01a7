/** A process with idle connections, which reads when it is told to: `idle-process.ts KIND CONNECTION SCHEMA`. */

import { Pool } from 'pg'

import { createPostgresStorage, type PostgresStorage } from '../../../src/storage/postgres/index.ts'

const [kind = '', connectionString = '', schema = ''] = process.argv.slice(2)

const storage = createPostgresStorage(
  kind === 'pool' ? { pool: new Pool({ connectionString }), schema } : { connectionString, schema },
)
await storage.onChange?.(() => {})
// So many at once that there are several connections, which then are idle.
await Promise.all([read(storage), read(storage), read(storage)])
process.on('message', () => {
  void readInTheEnd().then(() => process.send?.('read'))
})
process.send?.('idle')

async function read(from: PostgresStorage): Promise<void> {
  await from.withTransaction(
    async (tx) => await tx.getTaskExecutionIds({ type: 'by_statuses', statuses: ['ready'] }),
  )
}

/** A connection whose loss was not noticed yet fails the first reads. */
async function readInTheEnd(): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await read(storage)
      return
    } catch (error) {
      if (tries === 20) {
        throw error
      }
    }
  }
}
