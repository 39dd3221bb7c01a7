/** Runs one layer of tests over an engine with a fault in it, until something fails. */

import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'

import { type Layer, type Plant } from './plant.ts'

/** What a layer said to a fault. */
export type Finding = { by: string } | { unseenAfter: string }

const ROOT = join(import.meta.dirname, '../..')
const SOURCES = join(ROOT, 'packages/durable-execution/src')

// Far more than any layer takes: whatever goes on beyond it is an endless loop.
const LIMIT_MS = 1_800_000

const NODE_OPTIONS = ['--experimental-strip-types', '--disable-warning=ExperimentalWarning']

const UNIT = [
  'packages/durable-execution/src/machine/',
  'packages/durable-execution/src/store/',
  'packages/durable-execution/src/executor/',
  'packages/durable-execution/test/model/liveness.test.ts',
]

/** Runs the layer; without a plant over the engine as it is. */
export async function runLayer(layer: Layer, plant: Plant | undefined, seeds: number): Promise<Finding> {
  switch (layer) {
    case 'unit':
      return await runUnitTests(plant)
    case 'simulator':
      return await simulate(plant, seeds)
    case 'explorer':
    case 'suite':
      return await runOver(layer, plant)
  }
}

/** Why the layer cannot see the fault; undefined if it should. */
export function blindness(layer: Layer, plant: Plant): string | undefined {
  const said = plant.unseenBy?.[layer]
  if (said !== undefined) {
    return said
  }
  const files = plant.patches.map(({ file }) => file)
  if (layer === 'explorer' && !files.some((file) => file.startsWith('machine/'))) {
    return 'not in the rules'
  }
  if (layer === 'unit' && !files.some((file) => file.startsWith('machine/') || isTestedAlone(file))) {
    return 'no test beside it'
  }
  return undefined
}

function isTestedAlone(file: string): boolean {
  return existsSync(join(SOURCES, file.replace(/\.ts$/, '.test.ts')))
}

/** Vitest's report, as far as it is read. */
type Report = {
  numPassedTests: number
  testResults: ReadonlyArray<{
    name: string
    message: string
    assertionResults: ReadonlyArray<{ status: string; title: string }>
  }>
}

async function runUnitTests(plant: Plant | undefined): Promise<Finding> {
  const folder = mkdtempSync(join(tmpdir(), 'plants-'))
  const outputFile = join(folder, 'report.json')
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs')
  const options = [
    '--config=scripts/plants/vitest.config.ts',
    '--reporter=json',
    `--outputFile=${outputFile}`,
  ]
  try {
    const output = await run([vitest, 'run', ...options, ...UNIT], plant)
    if (!existsSync(outputFile)) {
      throw new Error(`Vitest wrote no report:\n${output}`)
    }
    return firstFailure(JSON.parse(readFileSync(outputFile, 'utf8')) as Report)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function firstFailure({ numPassedTests, testResults }: Report): Finding {
  for (const { name, message, assertionResults } of testResults) {
    const failed = assertionResults.find(({ status }) => status === 'failed')
    if (failed !== undefined) {
      return { by: `${failed.title} (${basename(name, '.test.ts')})` }
    }
    if (message !== '') {
      throw new Error(`${name} could not be run: ${message}`)
    }
  }
  return { unseenAfter: `${numPassedTests} tests` }
}

async function runOver(layer: 'explorer' | 'suite', plant: Plant | undefined): Promise<Finding> {
  const named = plant === undefined ? [] : [plant.name]
  const output = await run([...NODE_OPTIONS, join(import.meta.dirname, 'over.ts'), layer, ...named], plant)
  const [json] = /^\{"(?:by|unseenAfter)":.*\}$/m.exec(output) ?? []
  if (json === undefined) {
    throw new Error(`The ${layer} did not say what it saw:\n${output}`)
  }
  return JSON.parse(json) as Finding
}

async function simulate(plant: Plant | undefined, seeds: number): Promise<Finding> {
  const named = plant === undefined ? [] : ['--plant', plant.name]
  const options = ['--seeds', `1..${seeds}`, '--no-log', '--brief', ...named]
  const output = await run([...NODE_OPTIONS, join(ROOT, 'scripts/simulate.ts'), ...options], plant)
  const [, seed, promise] = /^Seed (\d+): (\S+) at /m.exec(output) ?? []
  if (seed !== undefined) {
    return { by: `${promise}, seed ${seed}` }
  }
  if (!/^\{"seeds":\d+,"events":\d+,"violations":0\}$/m.test(output)) {
    throw new Error(`The simulator did not say what it saw:\n${output}`)
  }
  return { unseenAfter: `${seeds} seeds` }
}

async function run(args: ReadonlyArray<string>, plant: Plant | undefined): Promise<string> {
  const env = { ...process.env, ...(plant === undefined ? {} : { PLANT: plant.name }) }
  const child = spawn(process.execPath, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8')
    stream.on('data', (text: string) => {
      output += text
    })
  }
  await new Promise<void>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', () => resolve())
  })
  clearTimeout(timer)
  return output
}
