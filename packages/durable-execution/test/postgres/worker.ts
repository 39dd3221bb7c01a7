/** A process that runs tasks on Postgres until it is killed: `worker.ts CONNECTION SCHEMA LEDGER`. */

import { appendFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

import { DurableExecutor } from '../../src/index.ts'
import { createPostgresStorage } from '../../src/storage/postgres/index.ts'
import { defineWork } from '../processes/work.ts'

const [connectionString = '', schema = '', ledger = ''] = process.argv.slice(2)
const storage = createPostgresStorage({ connectionString, schema, maxConnections: 4 })
const executor = new DurableExecutor(storage, {
  expireMs: 1_500,
  maxConcurrentTaskExecutions: 5,
  // Only a hint may wake it in time; the poll alone would take an hour.
  backgroundProcessIntraBatchSleepMs: 3_600_000,
  // A worker here is killed on purpose, again and again: that is no reason to give up its tasks.
  maxLosses: 100,
  logger: { debug: () => {}, info: () => {}, error: () => {} },
})
defineWork(executor, {
  note: (what, executionId) => appendFileSync(ledger, `${what} ${executionId} ${process.pid}\n`),
  pause: (ms, options) => pause(ms, undefined, options),
})
await executor.start()
process.send?.('started')
