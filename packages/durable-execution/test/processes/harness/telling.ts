/** Tells what is wrong with a round, and keeps all that it was found in. */

import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { type Outcome } from './round.ts'

/** What is wrong, the stories of the first findings, and the folder in which the evidence is kept. */
export function tellFindings({ figures, findings, stories, evidence }: Outcome): Array<string> {
  const folder = mkdtempSync(join(tmpdir(), `durable-execution-evidence-${figures.seed}-`))
  for (const [name, part] of Object.entries(evidence)) {
    writeFileSync(join(folder, `${name}.json`), JSON.stringify(part instanceof Map ? [...part] : part))
  }
  writeFileSync(join(folder, 'findings.json'), JSON.stringify({ figures, findings }))
  return [
    ...findings.map(({ promise, executionId, sentence }) => `BROKEN ${promise}: ${executionId} ${sentence}`),
    ...stories,
    `The evidence is in ${folder}`,
  ]
}
