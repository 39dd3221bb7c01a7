/** A pool that notes each statement that is sent through it. */

import { type Pool } from 'pg'

import { type PostgresPool, type PostgresQuery } from '../../src/storage/postgres/index.ts'

/** The same pool; `onSent` hears of each statement before the server does. */
export function spiedOn(pool: Pool, onSent: (query: PostgresQuery) => void): PostgresPool {
  const connect = async (): Promise<Awaited<ReturnType<PostgresPool['connect']>>> => {
    const client = await pool.connect()
    return Object.assign(Object.create(client) as typeof client, {
      query: (query: PostgresQuery) => {
        onSent(query)
        return client.query(query as never)
      },
    })
  }
  return { connect, on: pool.on.bind(pool), off: pool.off.bind(pool) }
}
