/** Starts a redis-server, if this machine has one, for a run of the engine that needs it. */

import { spawn } from 'node:child_process'
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

import { freePort } from '../../../scripts/postgres/free-port.ts'
import { type RedisFsync } from './flags.ts'

export type RedisServer = { url: string; pid: number | undefined; stop: () => Promise<void> }

const START_MS = 20_000

/** The program, or undefined if there is none. */
export function findRedis(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return folders.map((folder) => join(folder, 'redis-server')).find(isProgram)
}

/** Starts it empty, with its log of changes on. */
export async function startRedis(program: string, fsync: RedisFsync): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'durable-execution-redis-'))
  const port = await freePort()
  const settings = {
    bind: '127.0.0.1',
    port: String(port),
    dir: folder,
    save: '',
    appendonly: 'yes',
    appendfsync: fsync,
    'maxmemory-policy': 'noeviction',
  }
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
  const server = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise<void>((resolve) => {
    server.once('close', () => resolve())
    server.once('error', () => resolve())
  })
  const stop = async (): Promise<void> => {
    server.kill('SIGKILL')
    await ended
    rmSync(folder, { recursive: true, force: true })
  }
  let said = ''
  await new Promise<void>((resolve, reject) => {
    const fail = (): void => reject(new Error(`redis-server did not start: ${said}`))
    const timer = setTimeout(fail, START_MS)
    void ended.then(fail)
    server.stdout.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-2_000)
      if (said.includes('Ready to accept connections')) {
        clearTimeout(timer)
        resolve()
      }
    })
  }).catch(async (error: unknown) => {
    await stop()
    throw error
  })
  return { url: `redis://127.0.0.1:${port}`, pid: server.pid, stop }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
