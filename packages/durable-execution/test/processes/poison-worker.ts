/** A process that runs tasks of which one kills it: `poison-worker.ts PLACE EXPIRE_MS SLOTS`, the place in JSON. */

import { setTimeout as pause } from 'node:timers/promises'

import { DurableExecutor } from '../../src/index.ts'
import { openStorage, type PlaceName } from './harness/places.ts'
import { definePoisoned } from './poisoned-tasks.ts'

const [place = '', expireMs, slots] = process.argv.slice(2)
const quiet = (): void => {}
const executor = new DurableExecutor(openStorage(JSON.parse(place) as PlaceName), {
  expireMs: Number(expireMs),
  maxConcurrentTaskExecutions: Number(slots),
  backgroundProcessIntraBatchSleepMs: 200,
  logger: { debug: quiet, info: quiet, error: quiet },
})
definePoisoned(executor, {
  pause: async (ms) => {
    await pause(ms)
  },
  die: () => process.abort(),
})

// Whoever started it is gone, and with it the reason to go on.
process.once('disconnect', () => process.exit(0))
await executor.start()
