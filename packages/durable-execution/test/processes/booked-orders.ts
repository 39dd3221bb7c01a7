/** A task whose transactions write to a table of its own, in whatever process it runs. */

import { type DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'

import { type DurableExecutor, type DurableTask } from '../../src/index.ts'
import { type PostgresTransactionClient } from '../../src/storage/postgres/index.ts'
import { type PlaceName } from './harness/places.ts'

export const BOOKINGS_PER_ORDER = 4

/** The table of the bookings, as it stands in a statement. */
export function bookingsTable(place: PlaceName): string {
  return place.kind === 'sqlite' ? 'bookings' : `"${place.schema}".bookings`
}

/** Defines the task: an order makes bookings one after the other and two at a time, each in a transaction that takes a moment. */
export function defineOrder(executor: DurableExecutor, place: PlaceName): DurableTask<undefined, string> {
  const table = bookingsTable(place)
  const insert = async (tx: object, token: string): Promise<void> => {
    await (place.kind === 'sqlite'
      ? (tx as DatabaseSync).prepare(`insert into ${table} (token) values (?)`).run(token)
      : (tx as PostgresTransactionClient).query(`insert into ${table} (token) values ($1)`, [token]))
  }
  return executor.task({
    id: 'order',
    timeoutMs: 60_000,
    run: async (ctx) => {
      const book = async (): Promise<string> =>
        await ctx.transaction('book', async (tx) => {
          // Another each time it is called, so that what is kept shows which call it is of.
          const token = crypto.randomUUID()
          await insert(tx, token)
          await pause(Math.random() * 10)
          return token
        })
      await book()
      await Promise.all([book(), book()])
      await book()
      return 'booked'
    },
  })
}
