/** The command `npm run mutation`: changes the rules a little in each place, and shows which changes no test notices. */

import { parseArgs } from 'node:util'

import { type Sorted, sortSurvivors } from './mutation/equivalents.ts'
import { mutate, type Mutant } from './mutation/stryker.ts'
import { toNumber } from './reliability/counts.ts'
import { appendRun } from './reliability/log.ts'

const USAGE = `Changes packages/durable-execution/src/machine in each place where Stryker knows how, one change at a time, and runs the tests beside it.
Stryker itself is installed into .mutation at the first run.

  --file NAME   only this file of the folder, such as retry.ts; may be given more than once
  --min SCORE   the least score, in percent of all changes; default 90
  --no-log      does not note the run in reliability/log.jsonl

A change that lives is shown, unless reliability/equivalent-mutants.json says why no test can notice it.
.mutation/report.html shows each change in its place. The last line is JSON. Exit status 1 below the score.`

const { values } = parseArgs({
  options: {
    file: { type: 'string', multiple: true, default: [] },
    min: { type: 'string', default: '90' },
    log: { type: 'boolean', default: true },
    help: { type: 'boolean', default: false },
  },
  allowNegative: true,
})

if (values.help) {
  console.log(USAGE)
} else {
  run(values.file, toNumber('min', values.min, 0))
}

function run(files: ReadonlyArray<string>, min: number): void {
  const startedAt = performance.now()
  const mutants = mutate(files).filter(({ status }) => isNoticed(status) || isAlive(status))
  const living = mutants.filter(({ status }) => isAlive(status))
  const sorted = sortSurvivors(living)
  const isWhole = files.length === 0
  show(mutants, sorted, isWhole)
  const counted = {
    mutants: mutants.length,
    killed: mutants.length - living.length,
    equivalent: sorted.equivalent.length,
    unexplained: sorted.unexplained.length,
    score: percent(mutants.length - living.length, mutants.length),
    scoreWithoutEquivalents: percent(
      mutants.length - living.length,
      mutants.length - sorted.equivalent.length,
    ),
  }
  if (values.log && isWhole) {
    appendRun({ kind: 'mutation', ...counted, seconds: Math.round((performance.now() - startedAt) / 1_000) })
  }
  console.log(JSON.stringify(counted))
  process.exitCode = counted.score >= min ? 0 : 1
}

function show(
  mutants: ReadonlyArray<Mutant>,
  { unexplained, equivalent, stale }: Sorted,
  isWhole: boolean,
): void {
  console.log('\nfile, changes, noticed, equivalent, unexplained')
  for (const file of new Set(mutants.map((mutant) => mutant.file))) {
    const all = countOf(mutants, file)
    const rest = [countOf(equivalent, file), countOf(unexplained, file)] as const
    console.log(`${file}, ${all}, ${all - rest[0] - rest[1]}, ${rest[0]}, ${rest[1]}`)
  }
  for (const { file, line, from, to, status } of unexplained) {
    console.log(`${file}:${line} ${status === 'NoCoverage' ? 'is run by no test' : 'lives'}: ${from} → ${to}`)
  }
  // A part of the files says nothing of the others.
  for (const key of isWhole ? stale : []) {
    console.log(`Explained, and not there or noticed: ${key}`)
  }
}

function countOf(mutants: ReadonlyArray<Mutant>, file: string): number {
  return mutants.filter((mutant) => mutant.file === file).length
}

/** A change that makes a loop endless is noticed by the time it takes. */
function isNoticed(status: string): boolean {
  return status === 'Killed' || status === 'Timeout'
}

/** What is neither cannot be loaded: it counts for nothing, as with Stryker. */
function isAlive(status: string): boolean {
  return status === 'Survived' || status === 'NoCoverage'
}

/** With two digits, rounded down: 95 is not reached at 94.999. */
function percent(part: number, whole: number): number {
  return whole === 0 ? 100 : Math.floor((10_000 * part) / whole) / 100
}
