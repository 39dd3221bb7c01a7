/** Starts real Postgres servers, from what npm installed, for tests, examples and measurements. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chownSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { postgresBinaries, type PostgresVersion, SERVER_USER } from './binaries.ts'
import { createDatabaseOn, dropDatabaseOn } from './databases.ts'
import { freePort } from './free-port.ts'
import { FOLDER_PREFIX, markOwner, sweepOrphans } from './orphans.ts'

export type PostgresOptions = {
  /** Default 18. */
  version?: PostgresVersion
  /** Whether it listens on a port of 127.0.0.1 too; default: on a unix socket alone. */
  tcp?: boolean
  /** Whether it survives a power cut, as it would in production; default false, for speed. */
  durable?: boolean
  /** Settings of the server, as in postgresql.conf. */
  settings?: Record<string, string>
  /** Whether it must be a server of its own though DATABASE_URL names one, since it will be restarted, say. */
  mustBeOwn?: boolean
}

/** A server that runs. */
export type PostgresServer = {
  /** Leads to the database `postgres`. */
  connectionString: string
  host: string
  port: number
  /** The process; undefined where DATABASE_URL named the server. */
  pid: number | undefined
  /** Makes an empty database; gives the connection string that leads to it. */
  createDatabase: (name?: string) => Promise<string>
  /** Stops it, as a crash would unless `isGraceful`, and starts it again at the same place. */
  restart: (options?: { isGraceful?: boolean }) => Promise<void>
  /** Stops it and removes all it kept. Repeating it is fine. */
  stop: () => Promise<void>
}

const USER = 'postgres'
const START_MS = 60_000
const SOCKET_PORT = 5432

// What is lost with the power is no loss in a test.
const FAST_SETTINGS = { fsync: 'off', full_page_writes: 'off' }
const SETTINGS = { max_connections: '100', shared_buffers: '64MB', log_min_messages: 'log' }

/**
 * Starts a server, or takes the one that DATABASE_URL names. It is stopped with `stop()`; one whose process
 * was killed is swept away by the next start.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const url = process.env['DATABASE_URL'] ?? ''
  if (url !== '' && options.mustBeOwn !== true && options.version === undefined) {
    return takeGivenServer(url)
  }
  sweepOrphans()
  const native = postgresBinaries(options.version ?? 18)
  const folder = mkdtempSync(join(tmpdir(), FOLDER_PREFIX))
  try {
    markOwner(folder)
    if (SERVER_USER !== undefined) {
      chownSync(folder, SERVER_USER.uid, SERVER_USER.gid)
    }
    initialise(native, folder)
    const port = options.tcp === true ? await freePort() : SOCKET_PORT
    return await runServer(native, folder, port, options)
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
}

function takeGivenServer(url: string): PostgresServer {
  const { hostname, port } = new URL(url)
  const made: Array<string> = []
  return {
    connectionString: url,
    host: hostname,
    port: Number(port === '' ? SOCKET_PORT : port),
    pid: undefined,
    createDatabase: async (name) => {
      const database = await createDatabaseOn(url, name)
      made.push(database)
      return database
    },
    restart: () => Promise.reject(new Error('The server that DATABASE_URL names is not ours to restart')),
    stop: async () => {
      await Promise.all(made.splice(0).map((database) => dropDatabaseOn(url, database)))
    },
  }
}

function initialise(native: string, folder: string): void {
  const { status, stderr } = spawnSync(
    join(native, 'bin/initdb'),
    ['-D', join(folder, 'data'), '-U', USER, '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
    { ...SERVER_USER, env: { LC_ALL: 'C', PATH: process.env['PATH'] }, encoding: 'utf8', cwd: folder },
  )
  if (status !== 0) {
    throw new Error(`initdb failed: ${stderr}`)
  }
}

async function runServer(
  native: string,
  folder: string,
  port: number,
  options: PostgresOptions,
): Promise<PostgresServer> {
  const isTcp = options.tcp === true
  const connectionString = isTcp
    ? `postgresql://${USER}@127.0.0.1:${port}/postgres`
    : `postgresql://${USER}@localhost:${port}/postgres?host=${encodeURIComponent(folder)}`
  const args = ['-D', join(folder, 'data'), '-k', folder, '-p', String(port)]
  const settings = {
    ...SETTINGS,
    ...(options.durable === true ? {} : FAST_SETTINGS),
    listen_addresses: isTcp ? '127.0.0.1' : '',
    ...options.settings,
  }
  args.push(...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]))

  const start = async (): Promise<ChildProcess> =>
    await spawnServer(join(native, 'bin/postgres'), args, folder)
  let running: ChildProcess | undefined = await start()
  const halt = async (signal: NodeJS.Signals): Promise<void> => {
    const halted = running
    running = undefined
    if (halted !== undefined && halted.exitCode === null && halted.signalCode === null) {
      const end = new Promise((resolve) => halted.once('exit', resolve))
      halted.kill(signal)
      await end
    }
  }
  return {
    connectionString,
    host: isTcp ? '127.0.0.1' : folder,
    port,
    get pid() {
      return running?.pid
    },
    createDatabase: (name) => createDatabaseOn(connectionString, name),
    restart: async ({ isGraceful = false } = {}) => {
      await halt(isGraceful ? 'SIGINT' : 'SIGQUIT')
      running = await start()
    },
    stop: async () => {
      await halt('SIGQUIT')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Resolves when the server says that it takes connections. */
function spawnServer(program: string, args: Array<string>, folder: string): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      ...SERVER_USER,
      cwd: folder,
      env: { LC_ALL: 'C', PATH: process.env['PATH'] },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let said = ''
    const timer = setTimeout(() => {
      child.kill('SIGQUIT')
    }, START_MS)
    const onExit = (): void => {
      clearTimeout(timer)
      reject(new Error(`Postgres ended, or took too long, instead of starting: ${said}`))
    }
    child.once('error', reject)
    child.once('exit', onExit)
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-10_000)
      if (said.includes('ready to accept connections')) {
        child.off('exit', onExit)
        clearTimeout(timer)
        resolve(child)
      }
    })
  })
}
