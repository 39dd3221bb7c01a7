/** Makes a fresh place for each run: a folder, a database, a Redis; and removes it afterwards. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Client } from 'pg'

import { dropDatabaseOn } from '../../../scripts/postgres/databases.ts'
import { type PostgresServer, startPostgres } from '../../../scripts/postgres/server.ts'
import { type Engine } from '../engines/engine.ts'
import { type RedisFsync } from './flags.ts'
import { findRedis, startRedis } from './redis.ts'

export type Place = {
  place: string
  /** A second one of the same kind, for what is measured beside it. */
  other: string
  serverPid: number | undefined
  remove: () => Promise<void>
}

export type Places = {
  open: (kind: Engine['server']) => Promise<Place>
  /** Removes the places that are open, and stops the servers. */
  close: () => Promise<void>
}

/** Where everything else is left as it comes; with durability on. */
export const POSTGRES_SETTINGS = { shared_buffers: '512MB' }

/** Postgres is started when the first run needs it. */
export function createPlaces(redisFsync: RedisFsync): Places {
  let starting: Promise<PostgresServer> | undefined
  const open = new Set<Place>()
  const make = async (kind: Engine['server']): Promise<Omit<Place, 'remove'> & { remove: () => unknown }> => {
    switch (kind) {
      case 'nothing':
        return { place: '', other: '', serverPid: undefined, remove: () => {} }
      case 'file':
        return makeFolders()
      case 'postgres':
        // All engines speak TCP, and not all of them a unix socket.
        starting ??= startPostgres({ durable: true, mustBeOwn: true, tcp: true, settings: POSTGRES_SETTINGS })
        return await makeDatabases(await starting)
      case 'redis':
        return await makeRedis(redisFsync)
    }
  }
  return {
    open: async (kind) => {
      const made = await make(kind)
      const place: Place = {
        ...made,
        remove: async () => {
          if (open.delete(place)) {
            await made.remove()
          }
        },
      }
      open.add(place)
      return place
    },
    close: async () => {
      await Promise.allSettled([...open].map((place) => place.remove()))
      await (await starting?.catch(() => undefined))?.stop()
    },
  }
}

type Made = Omit<Place, 'remove'> & { remove: () => unknown }

function makeFolders(): Made {
  const folders = [1, 2].map(() => mkdtempSync(join(tmpdir(), 'durable-execution-bench-')))
  const [place = '', other = ''] = folders
  return {
    place,
    other,
    serverPid: undefined,
    remove: () => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })),
  }
}

async function makeDatabases(server: PostgresServer): Promise<Made> {
  const [place, other] = [await server.createDatabase(), await server.createDatabase()]
  // What was written before is not to be paid for by this run.
  const client = new Client({ connectionString: server.connectionString })
  await client.connect()
  await client.query('checkpoint')
  await client.end()
  return {
    place,
    other,
    serverPid: server.pid,
    remove: async () => {
      await dropDatabaseOn(server.connectionString, place)
      await dropDatabaseOn(server.connectionString, other)
    },
  }
}

async function makeRedis(fsync: RedisFsync): Promise<Made> {
  const program = findRedis()
  if (program === undefined) {
    throw new Error('There is no redis-server on the PATH')
  }
  const { url, pid, stop } = await startRedis(program, fsync)
  return { place: url, other: '', serverPid: pid, remove: stop }
}
