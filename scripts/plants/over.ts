/**
 * A process of its own that runs the explorer or the engine's suite over an engine with a fault in it, until something
 * fails: `over.ts explorer|suite [PLANT]`. The last line is JSON: { by } or { unseenAfter }.
 */

import { plantNamed } from './faults.ts'
import { type Finding } from './layers.ts'
import { plant } from './plant.ts'

// So long a case may wait for what the fault keeps from coming; sound ones take three seconds at most.
const CASE_MS = 30_000

type Case = { title: string; run: () => Promise<void> }

const [layer, name] = process.argv.slice(2)
if (name !== undefined) {
  plant(plantNamed(name))
}
const finding = layer === 'explorer' ? await exploreAll() : await runSuite()
console.log(JSON.stringify(finding))
// What a fault left running must not keep the process alive.
process.exit(0)

async function exploreAll(): Promise<Finding> {
  // Only now, so that the fault is in what is loaded.
  const { explore } = await import('../../packages/durable-execution/src/testing/explore/explore.ts')
  const { SCENARIOS } = await import('../../packages/durable-execution/src/testing/explore/scenarios.ts')
  let worlds = 0
  for (const scenario of SCENARIOS) {
    const explored = explore(scenario)
    worlds += explored.worlds
    if (explored.failure !== null) {
      const { invariant, trace } = explored.failure
      return { by: `${invariant} in "${scenario.name}", ${trace.length} steps` }
    }
  }
  return { unseenAfter: `${worlds} worlds` }
}

/** Memory is quick and sees nearly all; SQLite is asked about the rest. */
async function runSuite(): Promise<Finding> {
  const cases = await suiteCases()
  for (const { title, run } of cases) {
    const error = await errorOf(run)
    if (error !== undefined) {
      console.log(error)
      return { by: title }
    }
  }
  return { unseenAfter: `${cases.length} cases` }
}

async function suiteCases(): Promise<Array<Case>> {
  const { runEngineConformance } =
    await import('../../packages/durable-execution/src/testing/conformance/engine/run-engine-conformance.ts')
  const { hideOptionalMembers } =
    await import('../../packages/durable-execution/src/testing/hide-optional-members.ts')
  const { memoryPlace, nodeSqlitePlace, wrapPlace } =
    await import('../../packages/durable-execution/test/storages/places.ts')
  const hidden = {
    name: 'memory without optional members',
    create: wrapPlace(memoryPlace, hideOptionalMembers),
  }
  const cases: Array<Case> = []
  for (const places of [
    [{ name: 'memory', create: memoryPlace }, hidden],
    [{ name: 'SQLite', create: nodeSqlitePlace }],
  ]) {
    for (const theme of ['leases', 'trees', 'tasks and attempts', 'durable code']) {
      for (const { name, create } of places) {
        const describe = (_: string, body: () => void): void => body()
        const it = (title: string, run: () => Promise<void>): void => {
          cases.push({ title: `${title} (${name})`, run })
        }
        runEngineConformance({ name, create, describe, it, themes: [theme] })
      }
    }
  }
  return cases
}

async function errorOf(run: () => Promise<void>): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined
  try {
    await Promise.race([
      run(),
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
          reject(new Error(`It did not end within ${CASE_MS} ms`))
        }, CASE_MS)
      }),
    ])
    return undefined
  } catch (error) {
    return error ?? new Error('It threw nothing')
  } finally {
    clearTimeout(timer)
  }
}
