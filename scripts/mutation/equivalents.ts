/** Changes of the rules that change nothing: no test can notice them, and for each a reason is given. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { type Mutant } from './stryker.ts'

const PATH = join(import.meta.dirname, '../../reliability/equivalent-mutants.json')

type Reason = { because: string; mutants: ReadonlyArray<Pick<Mutant, 'file' | 'at' | 'from' | 'to'>> }

/** What lives and was not explained, what was, and explanations of what does not live any more. */
export type Sorted = { unexplained: Array<Mutant>; equivalent: Array<Mutant>; stale: Array<string> }

/** Sorts the mutants that live by whether there is a reason for it. */
export function sortSurvivors(survivors: ReadonlyArray<Mutant>): Sorted {
  const reasons = JSON.parse(readFileSync(PATH, 'utf8')) as Array<Reason>
  const explained = new Set(reasons.flatMap(({ mutants }) => mutants.map(keyOf)))
  const seen = new Set(survivors.map(keyOf))
  return {
    unexplained: survivors.filter((mutant) => !explained.has(keyOf(mutant))),
    equivalent: survivors.filter((mutant) => explained.has(keyOf(mutant))),
    stale: [...explained].filter((key) => !seen.has(key)),
  }
}

/** Not by the number of the line, which changes with every line above it. */
function keyOf({ file, at, from, to }: Pick<Mutant, 'file' | 'at' | 'from' | 'to'>): string {
  return `${file}: ${from} → ${to}, in: ${at}`
}
