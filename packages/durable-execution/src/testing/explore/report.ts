/** What explorations saw, as text for people. */

import { type Exploration, explore } from './explore.ts'
import { PLANTED_FAULTS, type PlantedFault } from './faults.ts'
import { table, withPart } from './pages.ts'
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
  return withPart(page, BEGIN, plantedFaultsTable(caught), END)
}
