/**
 * Sums the long runs of the engine as it is now, out of `reliability/log.jsonl`; `--write` also writes the table in
 * RELIABILITY.md. A run counts if nothing of the engine has changed since its commit, and nothing had been changed beside it.
 */

import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { withPart } from '../packages/durable-execution/src/testing/explore/pages.ts'
import { type LoggedRun, tableOf } from './reliability/sums.ts'

const ROOT = join(import.meta.dirname, '..')
const PAGE = join(ROOT, 'RELIABILITY.md')
const BEGIN = '<!-- long runs: written by `npm run reliability -- --write` -->'
const END = '<!-- end of the long runs -->'

// What runs in production, and not what tests it.
const ENGINE = [
  'packages/durable-execution/src',
  ':!packages/durable-execution/src/testing',
  ':!packages/durable-execution/src/machine/invariants*',
  ':!*.test.ts',
  ':!*.test-support.ts',
]

const lines = readFileSync(join(ROOT, 'reliability/log.jsonl'), 'utf8').trimEnd().split('\n')
const runs = lines.map((line) => JSON.parse(line) as LoggedRun)
const isOfThisEngine = new Map(
  [...new Set(runs.map(({ commit }) => commit))].map((commit) => [commit, isSameEngine(commit)]),
)
const counting = runs.filter(({ commit, isDirty }) => !isDirty && isOfThisEngine.get(commit) === true)
const table = tableOf(counting)
console.log(table)
console.log(`\n${counting.length} of ${runs.length} runs are of the engine as it is.`)

if (process.argv.includes('--write')) {
  writeFileSync(PAGE, withPart(readFileSync(PAGE, 'utf8'), BEGIN, table, END))
}

/** Whether the engine is the same as at that commit; a commit that is not here counts as another engine. */
function isSameEngine(commit: string): boolean {
  return spawnSync('git', ['diff', '--quiet', commit, '--', ...ENGINE], { cwd: ROOT }).status === 0
}
