/** How often generated tests run, and from which seeds, so that what failed can be played again. */

import * as fc from 'fast-check'
import { test } from 'vitest'

// The first is the same in every run of the tests; the second is another one each time.
const SEEDS = [20_240_229, Math.floor(Math.random() * 2 ** 31)] as const

const given = (name: string): number | undefined => {
  const text = process.env[name]
  if (text === undefined || text === '') {
    return undefined
  }
  const value = Number(text)
  if (!Number.isSafeInteger(value)) {
    throw new TypeError(`${name} must be an integer, got ${text}`)
  }
  return value
}

// Tests that make fewer runs than this do so since a run takes long: what is asked for is asked of them in proportion.
const USUAL_RUNS = 500

/** How many runs a test makes: what `EQUIVALENCE_RUNS` says, or else `standard`. */
function runsOf(standard: number): number {
  const asked = given('EQUIVALENCE_RUNS')
  return asked === undefined ? standard : Math.ceil(asked * Math.min(1, standard / USUAL_RUNS))
}

/**
 * A test of a property: half of its runs begin at a seed that never changes, half at one that is drawn anew, unless
 * `EQUIVALENCE_SEED` names one, and `EQUIVALENCE_PATH` the place that a failure printed beside it.
 */
export function testProperty<Ts>(title: string, property: fc.IRawProperty<Ts>, standardRuns: number): void {
  const runs = runsOf(standardRuns)
  const seed = given('EQUIVALENCE_SEED')
  const path = process.env['EQUIVALENCE_PATH']
  const seeds = seed === undefined ? SEEDS : [seed]
  const runsOfOne = Math.ceil(runs / seeds.length)
  // What fails is made smaller before it is told, for as long as that works and this lasts.
  const limitMs = 40_000 + runsOfOne * 150 * Math.max(1, USUAL_RUNS / standardRuns)
  const timeout = seeds.length * limitMs + 10_000
  test(`${title} (${runs} runs from ${seeds.join(' and ')})`, { timeout }, async () => {
    for (const one of seeds) {
      const details = await fc.check(property, {
        seed: one,
        numRuns: runsOfOne,
        interruptAfterTimeLimit: limitMs,
        markInterruptAsFailure: true,
        ...(path === undefined ? {} : { path }),
      })
      if (details.failed) {
        const again = `EQUIVALENCE_SEED=${details.seed} EQUIVALENCE_PATH=${details.counterexamplePath ?? ''}`
        const said = await fc.asyncDefaultReportMessage(details)
        throw new Error(`Play it again with ${again}\n${said ?? ''}`, { cause: details.errorInstance })
      }
    }
  })
}
