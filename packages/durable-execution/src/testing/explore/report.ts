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

/** The planted faults as a table of Markdown: what is wrong, and the promise that gave it away. */
function plantedFaultsTable(caught: ReadonlyArray<Caught>): string {
  const rows = caught.map(({ fault, exploration: { failure } }) => [
    fault.name,
    fault.what,
    fault.scenario,
    failure === null ? 'nothing' : failure.invariant,
    String(failure?.trace.length ?? ''),
  ])
  return table(['fault', 'what it does', 'small world', 'caught by', 'steps'], rows)
}

const BEGIN = '<!-- planted faults: written by `npm run explore -- --write` -->'
const END = '<!-- end of the planted faults -->'

/** A page with its table of planted faults made anew. */
export function withPlantedFaults(page: string, caught: ReadonlyArray<Caught>): string {
  const begin = page.indexOf(BEGIN)
  const end = page.indexOf(END)
  if (begin === -1 || end < begin) {
    throw new Error(`The page has no place for the planted faults: ${BEGIN} … ${END}`)
  }
  return `${page.slice(0, begin)}${BEGIN}\n\n${plantedFaultsTable(caught)}\n\n${page.slice(end)}`
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
