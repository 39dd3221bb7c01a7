/** The log of long runs: a line of JSON for each, in `reliability/log.jsonl` at the top of the repository. */

import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')

/** Where the lines go. */
const LOG_PATH = join(ROOT, 'reliability/log.jsonl')

/** What a line says of the run itself: its kind, and whatever it measured. */
type Run = { kind: string }

/** What is added: which code ran, and when it was through. */
type Origin = {
  commit: string
  /** Whether files differed from that commit; the log itself does not count. */
  isDirty: boolean
  date: string
}

/** Adds the line; gives what it says. */
export function appendRun<T extends Run>(run: T, path: string = LOG_PATH): T & Origin {
  const line = { ...run, ...originOf() }
  mkdirSync(dirname(path), { recursive: true })
  appendFileSync(path, `${JSON.stringify(line)}\n`)
  return line
}

/** The present commit and date. */
export function originOf(): Origin {
  const changes = git('status', '--porcelain', '--', '.', ':!reliability')
  return {
    commit: git('rev-parse', 'HEAD'),
    isDirty: changes !== '',
    date: new Date().toISOString(),
  }
}

function git(...args: Array<string>): string {
  return execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim()
}
