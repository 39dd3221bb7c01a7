/** What all layers said to all faults: kept in a file, shown as a table of Markdown. */

import { table, withPart } from '../../packages/durable-execution/src/testing/explore/pages.ts'
import { PLANTS } from './faults.ts'
import { blindness, type Finding } from './layers.ts'
import { type Layer, LAYERS, type Plant } from './plant.ts'

/** By the name of the fault and of the layer. */
export type Findings = Record<string, Partial<Record<Layer, Finding>>>

const BEGIN = '<!-- planted faults: written by `npm run plants -- --write` -->'
const END = '<!-- end of the planted faults -->'

/** A page with its table of planted faults made anew. */
export function withPlantTable(page: string, findings: Findings): string {
  return withPart(page, BEGIN, plantTable(PLANTS, findings), END)
}

/** The faults as a table, and in a line how many each layer found. */
export function plantTable(plants: ReadonlyArray<Plant>, findings: Findings): string {
  const rows = plants.map((plant) => [
    `\`${plant.name}\`: ${plant.what}`,
    plant.breaks,
    ...LAYERS.map((layer) => cellOf(layer, plant, findings[plant.name]?.[layer])),
  ])
  const counts = LAYERS.map((layer) => {
    const able = plants.filter((plant) => blindness(layer, plant) === undefined)
    const found = able.filter((plant) => isFound(findings[plant.name]?.[layer]))
    return `${layer} ${found.length} of ${able.length}`
  })
  return `${table(['fault', 'promise', ...LAYERS], rows)}\n\nFound, of those that it can see: ${counts.join(', ')}.`
}

/** Faults that a layer should find and did not, and those that nothing found. */
export function missesIn(plants: ReadonlyArray<Plant>, findings: Findings): Array<string> {
  return plants.flatMap((plant) =>
    LAYERS.filter((layer) => blindness(layer, plant) === undefined)
      .filter((layer) => !isFound(findings[plant.name]?.[layer]))
      .map((layer) => `${plant.name} is not found by the ${layer}`),
  )
}

function cellOf(layer: Layer, plant: Plant, finding: Finding | undefined): string {
  const why = blindness(layer, plant)
  if (why !== undefined) {
    return layer === 'explorer' && plant.twin !== undefined
      ? `cannot see it: ${why}; finds the same of its own, "${plant.twin}"`
      : `cannot see it: ${why}`
  }
  if (finding === undefined) {
    return 'not tried'
  }
  return 'by' in finding ? finding.by.replaceAll('|', '\\|') : `**not seen** in ${finding.unseenAfter}`
}

function isFound(finding: Finding | undefined): boolean {
  return finding !== undefined && 'by' in finding
}
