/** Clients of our own pool that were given back a moment ago: the next statement takes one without asking the pool. */

import { systemClock, type Timer } from '../../base/clock.ts'
import { type PostgresPool, type PostgresPoolClient } from './driver.ts'

/** A pool that says how many wait for one of its clients. */
export type CountingPool = PostgresPool & { readonly waitingCount: number }

// Asking the pool and giving back to it are two timers and some two hundred calls of functions a statement: a tenth of what a
// task costs that runs alone. So long one lies here unused at most twice over; it keeps the process alive meanwhile.
const UNUSED_MS = 100

export class KeptClients {
  readonly #pool: CountingPool
  /** Those that nobody uses; the one that was given back last comes last. */
  #kept: Array<PostgresPoolClient> = []
  readonly #lost = new WeakSet<PostgresPoolClient>()
  /** The fewest there were since the last look: so many, those at the front, were not used since. */
  #fewest = 0
  #look: Timer | undefined
  #isClosed = false

  constructor(pool: CountingPool) {
    this.#pool = pool
    // For as long as a client lives: while it is lent or lies here the pool does not listen, and its loss would end the process.
    pool.on('connect', (client) => {
      client.on('error', () => this.#onLost(client))
    })
  }

  /** One that lies here. */
  take(): PostgresPoolClient | undefined {
    const client = this.#kept.pop()
    this.#fewest = Math.min(this.#fewest, this.#kept.length)
    return client
  }

  /** Takes it back; what is broken is closed, and what others wait for goes to them. */
  giveBack(client: PostgresPoolClient, isBroken: boolean): void {
    if (isBroken || this.#lost.has(client)) {
      client.release(true)
    } else if (this.#isClosed || this.#pool.waitingCount > 0) {
      client.release()
    } else {
      this.#kept.push(client)
      this.#look ??= systemClock.setTimer(UNUSED_MS, () => this.#giveUnused())
    }
  }

  /** Gives all to the pool, and keeps none from now on. */
  close(): void {
    this.#isClosed = true
    this.#look?.cancel()
    this.#look = undefined
    this.#release(this.#kept.length)
  }

  #giveUnused(): void {
    this.#look = undefined
    this.#release(this.#fewest)
    this.#fewest = this.#kept.length
    if (this.#kept.length > 0) {
      this.#look = systemClock.setTimer(UNUSED_MS, () => this.#giveUnused())
    }
  }

  #release(count: number): void {
    for (const client of this.#kept.splice(0, count)) {
      client.release()
    }
  }

  #onLost(client: PostgresPoolClient): void {
    this.#lost.add(client)
    const at = this.#kept.indexOf(client)
    if (at >= 0) {
      this.#kept.splice(at, 1)
      this.#fewest = Math.min(this.#fewest, this.#kept.length)
      client.release(true)
    }
  }
}
