/** The command `npm run plants`: plants each fault in the engine, and runs every layer of tests over it. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { plantNamed, PLANTS } from './plants/faults.ts'
import { blindness, type Finding, runLayer } from './plants/layers.ts'
import { type Layer, LAYERS, type Plant } from './plants/plant.ts'
import { type Findings, missesIn, plantTable, withPlantTable } from './plants/table.ts'

const USAGE = `Plants faults in the engine, one by one, and runs the layers of tests over each: every layer that can see
a fault must find it. A layer stops at its first failure; the engine as it is must pass first.

  --plant NAME       this fault alone; may be given again
  --layers A,B       of unit, explorer, simulator, suite; default all
  --seeds N          how many seeds of the simulator at most; default 1000
  --write            writes what was found into reliability/plants.json, and the table into RELIABILITY.md
  --new              only what reliability/plants.json does not say was found
  --list             names the faults
  --no-sound         does not run the engine as it is before

Exit status 1 if a layer did not find what it should.`

const ROOT = join(import.meta.dirname, '..')
const PAGE = join(ROOT, 'RELIABILITY.md')
const KEPT = join(ROOT, 'reliability/plants.json')

const { values } = parseArgs({
  options: {
    plant: { type: 'string', multiple: true },
    layers: { type: 'string', default: LAYERS.join() },
    seeds: { type: 'string', default: '1000' },
    write: { type: 'boolean', default: false },
    new: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    sound: { type: 'boolean', default: true },
    help: { type: 'boolean', default: false },
  },
  allowNegative: true,
})

/** What this run found. */
const found: Findings = {}

if (values.help) {
  console.log(USAGE)
} else if (values.list) {
  for (const { name, what, breaks } of PLANTS) {
    console.log(`${name}: ${what} (${breaks})`)
  }
} else {
  process.exitCode = await run()
}

async function run(): Promise<number> {
  const plants = values.plant?.map(plantNamed) ?? PLANTS
  const layers = values.layers.split(',').map(layerNamed)
  const startedAt = performance.now()
  if (values.sound) {
    await runSound(layers)
  }
  for (const plant of plants) {
    for (const layer of layers.filter((each) => blindness(each, plant) === undefined)) {
      const known = readKept()[plant.name]?.[layer]
      if (!values.new || known === undefined || !('by' in known)) {
        keep(plant, layer, await runTimed(layer, plant))
      }
    }
  }
  writeTable()
  const findings = { ...readKept(), ...found }
  const tried = Object.fromEntries(plants.map(({ name }) => [name, findings[name] ?? {}]))
  const misses = missesIn(plants, tried).filter((miss) => layers.some((layer) => miss.endsWith(` ${layer}`)))
  console.log(`\n${plantTable(plants, tried)}\n`)
  misses.forEach((miss) => console.log(miss))
  console.log(`${Math.round((performance.now() - startedAt) / 60_000)} minutes`)
  return misses.length === 0 ? 0 : 1
}

/** What fails over the engine as it is finds nothing. */
async function runSound(layers: ReadonlyArray<Layer>): Promise<void> {
  for (const layer of layers) {
    const finding = await runTimed(layer, undefined)
    if ('by' in finding) {
      throw new Error(`The ${layer} fails over the engine as it is: ${finding.by}`)
    }
  }
}

async function runTimed(layer: Layer, plant: Plant | undefined): Promise<Finding> {
  const startedAt = performance.now()
  const finding = await runLayer(layer, plant, Number(values.seeds))
  const said = 'by' in finding ? `found by ${finding.by}` : `not seen in ${finding.unseenAfter}`
  const seconds = Math.round((performance.now() - startedAt) / 1_000)
  console.log(`${plant?.name ?? 'the engine as it is'}, ${layer}: ${said} (${seconds} s)`)
  return finding
}

function readKept(): Findings {
  return existsSync(KEPT) ? (JSON.parse(readFileSync(KEPT, 'utf8')) as Findings) : {}
}

/** Written after each layer: a long run that is broken off has not been for nothing, and another may run beside it. */
function keep(plant: Plant, layer: Layer, finding: Finding): void {
  const kept = readKept()
  found[plant.name] = { ...kept[plant.name], ...found[plant.name], [layer]: finding }
  if (values.write) {
    // What was found of faults that there are no more is forgotten.
    const findings = Object.fromEntries(
      PLANTS.map(({ name }) => [
        name,
        { ...kept[name], ...(name === plant.name ? { [layer]: finding } : {}) },
      ]),
    )
    writeFileSync(KEPT, `${JSON.stringify(findings, null, 2)}\n`)
    writeTable()
  }
}

function writeTable(): void {
  if (values.write) {
    writeFileSync(PAGE, withPlantTable(readFileSync(PAGE, 'utf8'), readKept()))
  }
}

function layerNamed(name: string): Layer {
  const layer = LAYERS.find((each) => each === name)
  if (layer === undefined) {
    throw new Error(`There is no layer ${name}; there are ${LAYERS.join(', ')}`)
  }
  return layer
}
