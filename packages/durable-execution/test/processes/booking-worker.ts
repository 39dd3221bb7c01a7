/** A process that runs orders until it is killed: `booking-worker.ts PLACE EXPIRE_MS`, the place in JSON. */

import { DurableExecutor } from '../../src/index.ts'
import { defineOrder } from './booked-orders.ts'
import { openStorage, type PlaceName } from './harness/places.ts'

const [text = '', expireMs] = process.argv.slice(2)
const place = JSON.parse(text) as PlaceName
const quiet = (): void => {}
const executor = new DurableExecutor(openStorage(place), {
  expireMs: Number(expireMs),
  // They are killed again and again, and that is no fault of theirs.
  maxLosses: 100,
  backgroundProcessIntraBatchSleepMs: 50,
  logger: { debug: quiet, info: quiet, error: quiet },
})
defineOrder(executor, place)

// Whoever started it is gone, and with it the reason to go on.
process.once('disconnect', () => process.exit(0))
await executor.start()
process.send?.('ready')
