/** The one door to names: ids of executions, of executors and of leases. */

import { randomFillSync } from 'node:crypto'

import { hashName } from './hash.ts'

/** Draws ids. Those of one source are unique and, read as text, sort in the order they were drawn. */
export type IdSource = {
  /** An id for an execution: `te_` and 32 hexadecimal digits. */
  newExecutionId: () => string
  /** An id for a lease or an executor. */
  newId: () => string
}

// Asking the system for each id's random bytes was 5 % of the time of enqueueing; 4 KB of them serve 512 ids.
const POOL_BYTES = 4_096
const BYTES_PER_ID = 8
const pool = Buffer.alloc(POOL_BYTES)
let pooledHex = ''
let nextInPool = POOL_BYTES

function randomHex(): string {
  if (nextInPool === POOL_BYTES) {
    pooledHex = randomFillSync(pool).toString('hex')
    nextInPool = 0
  }
  const start = nextInPool * 2
  nextInPool += BYTES_PER_ID
  return pooledHex.slice(start, start + BYTES_PER_ID * 2)
}

// A UUID of version 7: 48 bits of milliseconds, the version, a counter of 12 bits, the variant, 62 random bits.
const COUNTERS = Array.from({ length: 4_096 }, (_, count) => `7${count.toString(16).padStart(3, '0')}`)
const VARIANTS: Record<string, string> = Object.fromEntries(
  Array.from({ length: 16 }, (_, digit) => [digit.toString(16), '89ab'[digit % 4] ?? '8']),
)
let lastMs = 0
let lastMsHex = ''
let counter = 0

function compactId(): string {
  const ms = Date.now()
  if (ms > lastMs) {
    beginMs(ms)
  } else if (counter === COUNTERS.length - 1) {
    // All of this millisecond's are drawn, or the clock was set back: the next one is taken in advance.
    beginMs(lastMs + 1)
  } else {
    counter += 1
  }
  const random = randomHex()
  return `${lastMsHex}${COUNTERS[counter]}${VARIANTS[random[0] ?? '0']}${random.slice(1)}`
}

function beginMs(ms: number): void {
  lastMs = ms
  lastMsHex = ms.toString(16).padStart(12, '0')
  counter = 0
}

/** Time-ordered ids (UUID version 7): unguessable, and growing within one process even in one millisecond. */
export const systemIds: IdSource = {
  newExecutionId: () => `te_${compactId()}`,
  newId: compactId,
}

/** The id of the execution of a task that has that key: the same wherever it is made, and like none that is drawn. */
export function keyedExecutionId(taskId: string, key: string): string {
  return `te_k${hashName([taskId, key])}`
}
