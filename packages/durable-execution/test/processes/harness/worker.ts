/** A process that runs tasks until it is told to stop, or killed: `worker.ts ORDERS`, in JSON. */

import { setTimeout as pause } from 'node:timers/promises'

import { DurableExecutor } from '../../../src/index.ts'
import { openLedger } from './ledger.ts'
import { type WorkerOrders } from './orders.ts'
import { openStorage } from './places.ts'
import { defineTasks } from './tasks.ts'

const LOOK_EVERY_MS = 50
const GRACE_MS = 300

const { place, ledger, version, expireMs, slots, pollMs } = JSON.parse(process.argv[2] ?? '') as WorkerOrders
const note = openLedger(ledger)
const storage = openStorage(place)
const quiet = (): void => {}
const executor = new DurableExecutor(storage, {
  expireMs,
  maxConcurrentTaskExecutions: slots,
  backgroundProcessIntraBatchSleepMs: pollMs,
  // Workers are killed on purpose here, again and again: that is no reason to give up their tasks.
  maxLosses: 100,
  logger: { debug: quiet, info: quiet, error: quiet },
})
defineTasks(executor, { note, pause: async (ms, signal) => await pause(ms, undefined, { signal }) }, version)

// A machine that is too busy stalls processes as SIGSTOP does. They say so, or their losses could not be explained.
let lookedAt = Date.now()
setInterval(() => {
  const now = Date.now()
  if (now - lookedAt > expireMs / 4) {
    note({ what: 'stall', executionId: '-', attempt: 0, taskId: '-', at: lookedAt })
  }
  lookedAt = now
}, LOOK_EVERY_MS).unref()

process.once('SIGTERM', () => {
  executor
    .shutdown({ graceMs: GRACE_MS })
    .then(() => storage.close())
    .then(() => process.exit(0))
    .catch((error: unknown) => {
      console.error(error)
      process.exit(1)
    })
})
// Whoever started it is gone, and with it the reason to go on.
process.once('disconnect', () => process.exit(0))

await executor.start()
process.send?.('started')
