/** A process that runs tasks until it is told to stop, or killed: `worker.ts ORDERS`, in JSON. */

import { setTimeout as pause } from 'node:timers/promises'

import { DurableExecutor } from '../../../src/index.ts'
import { openLedger } from './ledger.ts'
import { type WorkerOrders } from './orders.ts'
import { openStorage } from './places.ts'
import { defineTasks } from './tasks.ts'

const LOOK_EVERY_MS = 50
const GRACE_MS = 300

const orders = JSON.parse(process.argv[2] ?? '') as WorkerOrders
const { place, ledger, version, expireMs, slots, pollMs, clockOffsetMs } = orders

// As on a machine whose clock is wrong: leases, due times and ids alike are made of the time of day. The ledger is
// evidence, and keeps to the clock that all processes share.
const machineNow = Date.now.bind(Date)
Date.now = () => machineNow() + clockOffsetMs

const note = openLedger(ledger, machineNow)
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
function noteStandstill(what: 'stall' | 'wait', since: number): void {
  const ms = Math.round(machineNow() - since)
  if (ms > expireMs / 4) {
    note({ what, executionId: '-', attempt: ms, taskId: '-', at: since })
  }
}

let lookedAt = machineNow()
setInterval(() => {
  noteStandstill('stall', lookedAt)
  lookedAt = machineNow()
}, LOOK_EVERY_MS).unref()

// So does a storage that is too slow: who waits for the lock of a file, or for a server that gets no turn, has done nothing,
// and its lease runs on.
const { withTransaction } = storage
storage.withTransaction = async (fn, hint) => {
  const askedAt = machineNow()
  try {
    return await withTransaction(fn, hint)
  } finally {
    noteStandstill('wait', askedAt)
  }
}

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
