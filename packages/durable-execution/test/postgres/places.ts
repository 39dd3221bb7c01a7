/** Places for the conformance suite on Postgres: each case has a schema of its own. */

import {
  createPostgresStorage,
  type PostgresStorage,
  type PostgresStorageOptions,
} from '../../src/storage/postgres/index.ts'
import { type ConformancePlace } from '../../src/testing/conformance/storage-conformance.ts'

let count = 0

/** A name that no other schema of this process has. */
export function newSchema(): string {
  count += 1
  return `schema_${process.pid}_${count}`
}

/** Makes places in the database to which the options lead; each opening has connections of its own. */
export function postgresPlace(options: () => PostgresStorageOptions): () => Promise<ConformancePlace> {
  return () => {
    const schema = newSchema()
    const opened: Array<PostgresStorage> = []
    return Promise.resolve({
      open: () => {
        const storage = createPostgresStorage({ ...options(), schema, hints: false })
        opened.push(storage)
        return Promise.resolve(storage)
      },
      canOpenTwice: true,
      cleanup: async () => {
        await Promise.all(opened.map((storage) => storage.close()))
      },
    })
  }
}
