/** A process that runs tasks on a SQLite file until it is killed: `worker.ts DATABASE LEDGER`. */

import { appendFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

import { DurableExecutor } from '../../src/index.ts'
import { createSqliteStorage } from '../../src/storage/sqlite/index.ts'
import { defineWork } from './work.ts'

const [path = '', ledger = ''] = process.argv.slice(2)
const executor = new DurableExecutor(createSqliteStorage({ path }), {
  expireMs: 1_000,
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
