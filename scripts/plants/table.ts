/** What all layers said to all faults: kept in a file, shown as a table of Markdown. */

import { PLANTS } from './faults.ts'
import { blindness, type Finding } from './layers.ts'
import { type Layer, LAYERS, type Plant } from './plant.ts'

/** By the name of the fault and of the layer. */
export type Findings = Record<string, Partial<Record<Layer, Finding>>>

const BEGIN = '<!-- planted faults: written by `npm run plants -- --write` -->'
const END = '<!-- end of the planted faults -->'

/** A page with its table of planted faults made anew. */
export function withPlantTable(page: string, findings: Findings): string {
  const begin = page.indexOf(BEGIN)
  const end = page.indexOf(END)
  if (begin === -1 || end < begin) {
    throw new Error(`The page has no place for the planted faults: ${BEGIN} … ${END}`)
  }
  return `${page.slice(0, begin)}${BEGIN}\n\n${plantTable(PLANTS, findings)}\n\n${page.slice(end)}`
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
