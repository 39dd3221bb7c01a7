/** A process that enqueues and works until it is killed: `busy-process.ts PATH LEDGER`; each enqueue that was acknowledged is a line of the ledger. */

import { appendFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'

import { DurableExecutor } from '../../src/index.ts'
import { createSqliteStorage } from '../../src/storage/sqlite/index.ts'
import { defineWork, enqueue } from './work.ts'

const LANES = 3
const PAUSE_MS = 10

const [path = '', ledger = ''] = process.argv.slice(2)
const database = new DatabaseSync(path)
// The log is brought into the database, and begun anew, all the time.
database.exec('pragma journal_mode = wal; pragma wal_autocheckpoint = 10')
const storage = createSqliteStorage({ database })
const quiet = (): void => {}
const executor = new DurableExecutor(storage, { logger: { debug: quiet, info: quiet, error: quiet } })
const work = defineWork(executor)

let mark = 0
async function lane(): Promise<never> {
  for (;;) {
    mark += 1
    const task = mark % 3 === 0 ? 'tree' : 'plain'
    const handle = await enqueue(executor, work, { task, given: { mark, ballast: '', outputLength: 1_500 } })
    appendFileSync(ledger, `${handle.getTaskExecutionId()}\n`)
    await pause(PAUSE_MS)
  }
}

// Whoever started it is gone, and with it the reason to go on.
process.once('disconnect', () => process.exit(0))
await storage.migrate()
await executor.start()
process.send?.('started')
await Promise.all(Array.from({ length: LANES }, lane))
