/** Stops the servers, and removes the folders, that killed runs have left behind. */

import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What the folder of each server begins with. */
export const FOLDER_PREFIX = 'durable-execution-postgres-'

const OWNER_FILE = 'owner'

/** Says in the folder which process its server belongs to. */
export function markOwner(folder: string): void {
  writeFileSync(join(folder, OWNER_FILE), String(process.pid))
}

/** Sweeps away what belongs to processes that are gone. */
export function sweepOrphans(): void {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(FOLDER_PREFIX))) {
    const folder = join(tmpdir(), name)
    const owner = readNumber(join(folder, OWNER_FILE))
    // Without an owner it is being made just now.
    if (owner !== undefined && !isAlive(owner)) {
      killServerOf(folder)
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

/** Kills the server whose data lie in the folder, if it runs. */
function killServerOf(folder: string): void {
  const data = join(folder, 'data')
  const pid = readNumber(join(data, 'postmaster.pid'))
  if (pid === undefined || !isAlive(pid)) {
    return
  }
  // The number may have been given to another process since.
  const commandLine = `/proc/${pid}/cmdline`
  if (!existsSync(commandLine) || readFileSync(commandLine, 'utf8').includes(data)) {
    process.kill(pid, 'SIGQUIT')
  }
}

function readNumber(file: string): number | undefined {
  try {
    const number = Number.parseInt(readFileSync(file, 'utf8'), 10)
    return Number.isNaN(number) ? undefined : number
  } catch {
    return undefined
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
