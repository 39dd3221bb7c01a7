/** Where connections come from: a pool of our own, or the user's. */

import { endsWithin, systemClock } from '../../base/clock.ts'
import { DurableExecutionError } from '../../base/errors.ts'
import { type MaybePromise } from '../../base/promise.ts'
import { type Answer, ask, type Given, pass, type PostgresPool, type PostgresPoolClient } from './driver.ts'
import { isOnlyAboutStatement, isRefusedSetting } from './failures.ts'
import { MemoryKeeping } from './keep-memory.ts'
import { type CountingPool, KeptClients } from './kept-clients.ts'
import { type CheckedOptions, MAX_CONNECTIONS } from './options.ts'
import { connectionOptions } from './settings.ts'

/** Lends connections. */
export type Connections = {
  /** A promise where one must be waited for. */
  lend: () => MaybePromise<Loan>
  /** How many there may be at a time. */
  readonly max: number
  /** Whether they were opened here, and nobody refused the settings that they begin with. */
  areOwn: () => boolean
  /** Closes what was opened here. Every loan must be given back before. */
  close: () => Promise<void>
}

/** A connection that was lent. */
export class Loan {
  readonly client: PostgresPoolClient
  readonly #limitMs: number | undefined
  readonly #keeper: KeptClients | undefined

  /** Without an answer after `limitMs` a statement is given up. A client of our own pool goes back to the `keeper`. */
  constructor(client: PostgresPoolClient, limitMs?: number, keeper?: KeptClients) {
    this.client = client
    this.#limitMs = limitMs
    this.#keeper = keeper
    if (keeper === undefined) {
      // While it is lent the pool does not listen, and the loss of the connection would end the process.
      client.on('error', ignore)
    }
  }

  /** Runs one statement; see {@link ask}. */
  ask(text: string, values?: Array<Given>, name?: string): Promise<Answer> {
    return ask(this.client, text, values, name, this.#limitMs)
  }

  /** Runs one statement of the user's; see {@link pass}. */
  pass(query: object): Promise<unknown> {
    return pass(this.client, query, this.#limitMs)
  }

  /** Gives it back. After an error that may have broken it it is closed instead. */
  end(error?: unknown): void {
    const isBroken = error !== undefined && !isOnlyAboutStatement(error)
    if (this.#keeper === undefined) {
      this.client.off('error', ignore)
      this.client.release(isBroken)
    } else {
      this.#keeper.giveBack(this.client, isBroken)
    }
  }
}

/** A connection of its own, outside of any pool. */
export type LoneClient = Pick<PostgresPoolClient, 'query' | 'on' | 'off'> & {
  /** From now on it does not keep the process alive. One of a user's pool is its owner's affair. */
  unref?: () => void
  end: () => Promise<void>
}

type DriverPool = CountingPool & { end: () => Promise<void> }
type OwnPool = { pool: DriverPool; kept: KeptClients }
type OwnClient = LoneClient & { connect: () => Promise<unknown> }

/** What is used of the module `pg`. */
type Driver = {
  Pool: new (config: Record<string, unknown>) => DriverPool
  Client: new (config: Record<string, unknown>) => OwnClient
}

const ignore = (): void => {}

const CONNECT_MS = 10_000
const IDLE_MS = 30_000

// The server gives up first, and says why. This is for one that has vanished.
const LATE_REPLY_MS = 5_000

/** The pool that the options name, opened when the first connection is asked for. */
export function createConnections({ source, statementTimeoutMs }: CheckedOptions): Connections {
  return source.kind === 'pool'
    ? connectionsOf(source.pool)
    : openConnections(source.connectionString, source.maxConnections, statementTimeoutMs)
}

/** Opens a connection that belongs to no pool. */
export async function openClient(connectionString: string): Promise<LoneClient> {
  const { Client } = await importDriver()
  const client = new Client({
    connectionString,
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
    application_name: 'durable-execution',
  })
  // The error is that of the call, or of a later silence; alone it must not end the process.
  client.on('error', () => {})
  try {
    await client.connect()
  } catch (error) {
    await endClient(client)
    throw error
  }
  return client
}

/** Takes a connection out of a pool for good. */
export async function takeOut(connections: Connections): Promise<LoneClient> {
  const loan = await connections.lend()
  const { client } = loan
  return {
    query: client.query.bind(client),
    on: client.on.bind(client),
    off: client.off.bind(client),
    // What it listens to would be left on it.
    end: () => Promise.resolve(loan.end(new Error('The connection was used for listening'))),
  }
}

/** Ends a connection that may be dead already. */
export async function endClient(client: LoneClient): Promise<void> {
  await endsWithin(
    systemClock,
    client.end().catch(() => {}),
    LATE_REPLY_MS,
  )
}

function connectionsOf(pool: PostgresPool): Connections {
  const unguard = guard(pool)
  return {
    lend: async () => new Loan(await pool.connect()),
    max: maxOf(pool),
    areOwn: () => false,
    close: () => {
      unguard()
      return Promise.resolve()
    },
  }
}

function openConnections(
  connectionString: string,
  maxConnections: number,
  statementTimeoutMs: number,
): Connections {
  let opening: Promise<OwnPool> | undefined
  let opened: OwnPool | undefined
  let isRefused = false
  const limitMs = statementTimeoutMs + LATE_REPLY_MS
  const memoryKeeping = new MemoryKeeping()
  const open = async (settings: Record<string, unknown>): Promise<OwnPool> => {
    const { Pool } = await importDriver()
    const pool = new Pool({
      connectionString,
      max: maxConnections,
      connectionTimeoutMillis: CONNECT_MS,
      idleTimeoutMillis: IDLE_MS,
      keepAlive: true,
      allowExitOnIdle: true,
      application_name: 'durable-execution',
      ...settings,
    })
    guard(pool)
    opened = { pool, kept: new KeptClients(pool) }
    return opened
  }
  const close = async ({ pool, kept }: OwnPool): Promise<void> => {
    kept.close()
    await pool.end()
  }
  const withMemory = (loan: Loan): MaybePromise<Loan> =>
    (isRefused ? undefined : memoryKeeping.lent(loan)?.then(() => loan)) ?? loan
  const lendAnew = async (): Promise<Loan> => {
    opening ??= open({ options: connectionOptions(statementTimeoutMs) })
    const used = opening
    try {
      return await withMemory(await lendFrom(opened ?? (await used), limitMs))
    } catch (error) {
      if (!isRefusedSetting(error)) {
        throw error
      }
      // A pooler that takes no settings: each transaction makes its own.
      isRefused = true
      if (opening === used) {
        opened = undefined
        opening = open({})
        void used.then(close).catch(() => {})
      }
      return await lendFrom(await opening, limitMs)
    }
  }
  return {
    lend: () => {
      const client = opened?.kept.take()
      return client === undefined ? lendAnew() : withMemory(new Loan(client, limitMs, opened?.kept))
    },
    max: maxConnections,
    areOwn: () => !isRefused,
    close: async () => {
      const own = await opening?.catch(() => undefined)
      opening = undefined
      opened = undefined
      if (own !== undefined) {
        await close(own)
      }
    },
  }
}

/** The loss of a connection that nobody uses must not end the process: the pool makes another. Gives what undoes it. */
function guard(pool: PostgresPool): () => void {
  // A new one may be lost with the very bytes that say it is ready: before whoever waits for it can listen.
  const guardNew = (client: PostgresPoolClient): void => {
    client.on('error', ignore)
    systemClock.setImmediate(() => client.off('error', ignore))
  }
  pool.on('error', ignore)
  pool.on('connect', guardNew)
  return () => {
    pool.off('error', ignore)
    pool.off('connect', guardNew)
  }
}

/** What a pool of `pg` says of itself; one that is only shaped like it may say nothing. */
function maxOf(pool: PostgresPool & { options?: { max?: unknown } | undefined }): number {
  const max = pool.options?.max
  return typeof max === 'number' && max >= 1 ? max : MAX_CONNECTIONS
}

async function lendFrom({ pool, kept }: OwnPool, limitMs: number): Promise<Loan> {
  return new Loan(await pool.connect(), limitMs, kept)
}

async function importDriver(): Promise<Driver> {
  try {
    const driver = (await import('pg')) as unknown as { default: Driver }
    return driver.default
  } catch (error) {
    throw new DurableExecutionError(
      'The Postgres storage needs the package `pg` for a `connectionString`. ' +
        'Install it with `npm install pg` or pass a `pool` of your own',
      false,
      { cause: error },
    )
  }
}
