/** What explorations saw, as text for people. */

import { type Exploration, explore } from './explore.ts'
import { PLANTED_FAULTS, type PlantedFault } from './faults.ts'
import { scenarioNamed } from './scenarios.ts'

/** A planted fault and what the explorer said to it. */
export type Caught = { fault: PlantedFault; exploration: Exploration }

/** Explores every wrong engine, each in the scenario in which it shows. */
export function explorePlantedFaults(): Array<Caught> {
  return PLANTED_FAULTS.map((fault) => ({
    fault,
    exploration: explore(scenarioNamed(fault.scenario), fault.breaks),
  }))
}

/** The planted faults as a page of Markdown. */
export function plantedFaultsPage(caught: ReadonlyArray<Caught>): string {
  const rows = caught.map(({ fault, exploration: { failure } }) => [
    fault.name,
    fault.what,
    fault.scenario,
    failure === null ? 'nothing' : failure.invariant,
    String(failure?.trace.length ?? ''),
  ])
  return `# Planted faults

<!-- Written by \`node scripts/explore.ts --write\`. Do not edit. -->

Each line is a wrong engine: the sound one with one piece replaced. The explorer runs it in a small
world of two executors, in which everything that can happen does, and must find the promise that it
breaks. The last column is the length of the shortest way there.

${table(['fault', 'what it does', 'small world', 'caught by', 'steps'], rows)}
`
}

/** A table of Markdown, its columns aligned. */
function table(heads: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string {
  const widths = heads.map((head, column) =>
    Math.max(3, head.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const line = (cells: ReadonlyArray<string>): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  const rule = line(widths.map((width) => '-'.repeat(width)))
  return [line(heads), rule, ...rows.map(line)].join('\n')
}
