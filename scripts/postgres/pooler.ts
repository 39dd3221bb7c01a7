/** Starts pgbouncer, a transaction-mode pooler, in front of a server. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

import { SERVER_USER } from './binaries.ts'
import { freePort } from './free-port.ts'

/** A pooler that runs. */
export type Pooler = {
  /** The same database as the server's connection string leads to, by the pooler. */
  through: (connectionString: string) => string
  /** Stops it, which cuts all connections, and starts it again at the same place. */
  restart: () => Promise<void>
  stop: () => Promise<void>
}

const START_MS = 20_000

// Few connections of the server for many clients: each transaction of a client may come to another one.
const SETTINGS = {
  pool_mode: 'transaction',
  default_pool_size: '4',
  max_client_conn: '200',
  auth_type: 'any',
}

/**
 * Starts it in front of the server that the connection string leads to, with settings of its own beside the usual
 * ones. Throws where it is not installed.
 */
export async function startPooler(
  connectionString: string,
  settings: Record<string, string> = {},
): Promise<Pooler> {
  const program = findProgram()
  const { hostname, port, searchParams, username, password } = new URL(connectionString)
  const listenPort = await freePort()
  const server = {
    host: searchParams.get('host') ?? hostname,
    port: port === '' ? '5432' : port,
    user: username === '' ? 'postgres' : decodeURIComponent(username),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
  }
  const folder = mkdtempSync(join(tmpdir(), 'durable-execution-pooler-'))
  const file = join(folder, 'pgbouncer.ini')
  writeFileSync(file, configText(server, listenPort, settings))
  if (SERVER_USER !== undefined) {
    // It refuses to be run by root.
    chownSync(folder, SERVER_USER.uid, SERVER_USER.gid)
    chownSync(file, SERVER_USER.uid, SERVER_USER.gid)
  }
  let running = await spawnPooler(program, file, folder)
  const halt = async (): Promise<void> => {
    if (running.exitCode === null && running.signalCode === null) {
      const ended = once(running, 'exit')
      running.kill('SIGKILL')
      await ended
    }
  }
  return {
    through: (database) => {
      const url = new URL(`postgresql://127.0.0.1:${listenPort}`)
      url.username = 'postgres'
      url.pathname = new URL(database).pathname
      return url.href
    },
    restart: async () => {
      await halt()
      running = await spawnPooler(program, file, folder)
    },
    stop: async () => {
      await halt()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function findProgram(): string {
  // Debian puts it where only root looks.
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin']
  const program = folders.map((folder) => join(folder, 'pgbouncer')).find((path) => existsSync(path))
  if (program === undefined) {
    throw new Error(
      'pgbouncer is not installed, and these tests need it. ' +
        'Run `apt-get install -y --no-install-recommends pgbouncer`, or put it on the PATH.',
    )
  }
  return program
}

function configText(
  server: Record<string, string>,
  listenPort: number,
  ownSettings: Record<string, string>,
): string {
  const database = Object.entries(server).map(([name, value]) => `${name}='${value.replaceAll("'", "''")}'`)
  const settings = {
    ...SETTINGS,
    ...ownSettings,
    listen_addr: '127.0.0.1',
    listen_port: String(listenPort),
    unix_socket_dir: '',
  }
  return [
    '[databases]',
    `* = ${database.join(' ')}`,
    '[pgbouncer]',
    ...Object.entries(settings).map(([name, value]) => `${name} = ${value}`),
    '',
  ].join('\n')
}

/** Resolves when it says that it takes connections. */
function spawnPooler(program: string, file: string, folder: string): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [file], { ...SERVER_USER, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
    }, START_MS)
    const onExit = (): void => {
      clearTimeout(timer)
      reject(new Error(`pgbouncer ended, or took too long, instead of starting: ${said}`))
    }
    child.once('error', reject)
    child.once('exit', onExit)
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-10_000)
      if (said.includes('process up')) {
        child.off('exit', onExit)
        clearTimeout(timer)
        resolve(child)
      }
    })
  })
}
