/** What a worker process is told when it is started. */

import { type PlaceName } from './places.ts'
import { type Version } from './tasks.ts'

export type WorkerOrders = {
  place: PlaceName
  /** The file that its tasks write into. */
  ledger: string
  version: Version
  expireMs: number
  /** How many runs at a time. */
  slots: number
  pollMs: number
  /** How far ahead of the machine's clock that of the process is. */
  clockOffsetMs: number
}
