/** What the peers need here: their packages, which are installed when one is asked for, and what npm does not have. */

import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { ABSURD_SQL } from '../engines/absurd.ts'
import { type EngineName } from '../names.ts'
import { findRedis } from './redis.ts'

const FOLDER = join(import.meta.dirname, '../../peers')

/** Why the engine cannot be run here; undefined if it can. */
export function whatIsMissing(engine: EngineName): string | undefined {
  if (engine === 'bullmq' && findRedis() === undefined) {
    return 'there is no redis-server on the PATH'
  }
  if (engine === 'absurd') {
    const path = process.env[ABSURD_SQL] ?? ''
    if (path === '') {
      return `${ABSURD_SQL} does not say where its absurd.sql is`
    }
    return existsSync(path) ? undefined : `${ABSURD_SQL} says ${path}, which is not there`
  }
  return undefined
}

/** Installs the peers' packages from their own lock file, unless they are there. */
export function installPeers(tell: (line: string) => void): void {
  if (isInstalled()) {
    return
  }
  tell('installing the peers in bench/peers …')
  // The npm that runs this command, if one does; it is a script for Node.
  const npm = process.env['npm_execpath']
  const [program, ...args] = npm === undefined ? ['npm'] : [process.execPath, npm]
  const { status, stderr, error } = spawnSync(
    program ?? 'npm',
    [...args, 'ci', '--ignore-scripts', '--no-audit', '--no-fund'],
    { cwd: FOLDER, encoding: 'utf8' },
  )
  if (status !== 0) {
    throw new Error(`The peers could not be installed: npm ci in ${FOLDER} said ${error?.message ?? stderr}`)
  }
}

/** npm writes a lock file of its own into what it has installed. */
function isInstalled(): boolean {
  const installed = join(FOLDER, 'node_modules/.package-lock.json')
  return (
    existsSync(installed) &&
    statSync(installed).mtimeMs >= statSync(join(FOLDER, 'package-lock.json')).mtimeMs
  )
}
