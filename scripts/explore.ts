/**
 * Explores the small worlds and the planted faults, and prints what it saw; `--write` also writes
 * the table in ARCHITECTURE.md.
 */

import { readFileSync, writeFileSync } from 'node:fs'

import { describeFailure, explore } from '../packages/durable-execution/src/testing/explore/explore.ts'
import { allKinds } from '../packages/durable-execution/src/testing/explore/kinds.ts'
import {
  explorePlantedFaults,
  withPlantedFaults,
} from '../packages/durable-execution/src/testing/explore/report.ts'
import { type Scenario } from '../packages/durable-execution/src/testing/explore/scenario.ts'
import { SCENARIOS } from '../packages/durable-execution/src/testing/explore/scenarios.ts'

const taken = new Set<string>()
for (const scenario of SCENARIOS) {
  const began = performance.now()
  const { worlds, steps, kinds, failure } = explore(scenario)
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  for (const kind of kinds.keys()) {
    taken.add(kind)
  }
  console.log(`${scenario.name}: ${worlds} worlds, ${steps} steps, ${kinds.size} kinds, ${seconds} s`)
  console.log(`  at most ${boundsOf(scenario)}`)
  if (failure !== null) {
    console.log(describeFailure(failure))
    process.exitCode = 1
  }
}

const never = allKinds().filter((kind) => !taken.has(kind))
console.log(`\n${taken.size} kinds of transition were taken. Never: ${never.join(', ') || 'none'}.\n`)

const caught = explorePlantedFaults()
for (const { fault, exploration } of caught) {
  const { failure } = exploration
  const isCaught = failure !== null && fault.caughtBy.some((id) => id === failure.invariant)
  process.exitCode = isCaught ? process.exitCode : 1
  console.log(`${isCaught ? 'caught' : 'NOT CAUGHT'} ${fault.name}: ${failure?.invariant ?? 'nothing'}`)
}

if (process.argv.includes('--write')) {
  const page = new URL('../ARCHITECTURE.md', import.meta.url)
  writeFileSync(page, withPlantedFaults(readFileSync(page, 'utf8'), caught))
}

function boundsOf({ misfortunes, maxLosses, maxOpenFinds }: Scenario): string {
  const counts = { ...misfortunes, lossesInARow: maxLosses, openFinds: maxOpenFinds }
  return Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ')
}
