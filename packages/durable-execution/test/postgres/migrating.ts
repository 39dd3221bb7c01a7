/** A process that migrates and inserts one row: `migrating.ts CONNECTION SCHEMA`. */

import { createPostgresStorage } from '../../src/storage/postgres/index.ts'
import { insert, rowOf } from './rows.ts'

const [connectionString = '', schema = ''] = process.argv.slice(2)
await using storage = createPostgresStorage({ connectionString, schema, hints: false })
await insert(storage, rowOf(`te_${process.pid}`))
