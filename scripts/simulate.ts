/** The command `npm run simulate`: plays seeds of the simulator, and shows what breaks a promise. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

// Types alone: what is imported here is loaded before a fault could be planted in it.
import type { SimPlan } from '../packages/durable-execution/src/testing/simulate/plan.ts'
import type { SimFailure } from '../packages/durable-execution/src/testing/simulate/simulate.ts'
import { plantNamed, PLANTS } from './plants/faults.ts'
import { plant } from './plants/plant.ts'

const USAGE = `Plays the engine in simulated time, over a simulated storage, with everything going wrong that a seed says.

  --seeds A..B       the seeds from A to B; default 1..1000
  --seed N           one seed: with its plan and the last things that happened, if it breaks a promise
  --kept             the seeds that once broke a promise (reliability/seeds.json)
  --plant NAME       with a fault planted in the engine, to see that it is found
  --list-plants      names the faults
  --twice            plays each seed twice, and checks that the same happened
  --brief            says of a seed that breaks a promise no more than which one
  --no-log           does not note the run in reliability/log.jsonl

The last line is JSON: { seeds, events, violations }. Exit status 1 if a promise was broken.`

const KEPT = join(import.meta.dirname, '../reliability/seeds.json')

// The same fault is found by many seeds: a few are shown whole.
const SHOWN = 3

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1..1000' },
    seed: { type: 'string' },
    kept: { type: 'boolean', default: false },
    plant: { type: 'string' },
    'list-plants': { type: 'boolean', default: false },
    twice: { type: 'boolean', default: false },
    brief: { type: 'boolean', default: false },
    log: { type: 'boolean', default: true },
    help: { type: 'boolean', default: false },
  },
  allowNegative: true,
})

if (values.help) {
  console.log(USAGE)
} else if (values['list-plants']) {
  for (const { name, what } of PLANTS) {
    console.log(`${name}: ${what}`)
  }
} else {
  process.exitCode = await run()
}

async function run(): Promise<number> {
  if (values.plant !== undefined) {
    plant(plantNamed(values.plant))
  }
  // Only now, so that the fault is in what is loaded.
  const { explainSimulation, simulate } =
    await import('../packages/durable-execution/src/testing/simulate/simulate.ts')
  const command = `npm run simulate --${values.plant === undefined ? '' : ` --plant ${values.plant}`} --seed`
  const counted = { seeds: 0, events: 0, violations: 0 }
  const startedAt = performance.now()
  for (const story of values.kept ? keptPlans() : seeds()) {
    const seed = typeof story === 'string' ? story : story.seed
    const played = await simulate(story)
    counted.seeds += 1
    counted.events += played.events
    if (values.twice && (await simulate(story)).traceHash !== played.traceHash) {
      counted.violations += 1
      console.log(`Seed ${seed} does not play the same twice`)
    }
    if (played.violations.length > 0) {
      counted.violations += 1
      if (counted.violations <= SHOWN && !values.brief) {
        show(await explainSimulation(story), `${command} ${seed}`)
      } else {
        const [first] = played.violations
        console.log(`Seed ${seed}: ${first?.invariant} at ${first?.executionId}: ${first?.sentence}`)
      }
      if (values.plant !== undefined) {
        break
      }
    }
  }
  const seconds = Math.round((performance.now() - startedAt) / 1_000)
  if (values.log && values.plant === undefined && values.seed === undefined) {
    const { appendRun } = await import('./reliability/log.ts')
    appendRun({ kind: 'simulation', range: values.kept ? 'kept' : values.seeds, ...counted, seconds })
  }
  console.log(JSON.stringify(counted))
  return counted.violations === 0 ? 0 : 1
}

/** What once broke a promise: the plans themselves, since what a seed draws changes with the simulator. */
function keptPlans(): Array<SimPlan> {
  const kept = JSON.parse(readFileSync(KEPT, 'utf8')) as Array<{ plan: SimPlan }>
  return kept.map(({ plan }) => plan)
}

function* seeds(): Generator<string> {
  if (values.seed !== undefined) {
    yield values.seed
  } else {
    const match = /^(\d+)\.\.(\d+)$/.exec(values.seeds)
    if (match === null || Number(match[1]) > Number(match[2])) {
      throw new Error(`--seeds is a range such as 1..1000, not ${values.seeds}`)
    }
    for (let seed = Number(match[1]); seed <= Number(match[2]); seed += 1) {
      yield String(seed)
    }
  }
}

function show({ plan, violations, deeds, trace }: SimFailure, command: string): void {
  console.log(`\nSeed ${plan.seed} breaks a promise. What of its plan is needed for it:`)
  deeds.forEach((deed) => console.log(`  ${deed}`))
  console.log('The last things that happened:')
  trace.forEach((line) => console.log(`  ${line}`))
  for (const { invariant, executionId, sentence } of violations.slice(0, 5)) {
    console.log(`${invariant} at ${executionId}: ${sentence}`)
  }
  console.log(`To see it again: ${command}`)
  console.log(`To keep it, in reliability/seeds.json: ${JSON.stringify({ found: '', plan })}`)
}
