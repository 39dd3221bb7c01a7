/**
 * A deterministic simulation: a seed says what happens, when and in which order, and the same seed says the same again. What
 * breaks a promise is made as small as it still breaks it.
 */

import { type SimViolation } from './observer.ts'
import { describeDeed, planOf, type SimPlan } from './plan.ts'
import { play, type SimResult } from './simulation.ts'

/**
 * A plan that broke a promise, made small.
 *
 * @category Testing
 */
export type SimFailure = {
  /** The part of the plan that is needed for it. */
  plan: SimPlan
  violations: ReadonlyArray<SimViolation>
  /** What is done in that plan. */
  deeds: ReadonlyArray<string>
  /** The last things that happened. */
  trace: ReadonlyArray<string>
}

// Each try plays the whole plan once more.
const SHRINK_TRIES = 150
const TRACE_LINES = 80

/**
 * Plays a seed: real executors, several of them, over a simulated database in simulated time, with crashes, stalls, wrong clocks,
 * lost messages and a full disk as the seed says. The same seed is the same story again, event by event.
 *
 * @param story - A seed, any text; or the plan of one, of which parts may be left out.
 * @returns What happened; `violations` is empty where every promise was kept.
 *
 * @example
 * ```ts
 * import { simulate } from 'durable-execution/testing'
 *
 * const { events, violations } = await simulate('42')
 * console.log(events > 500, violations) // → true []
 * ```
 *
 * @category Testing
 */
export async function simulate(story: string | SimPlan): Promise<SimResult> {
  return await play(typeof story === 'string' ? planOf(story) : story)
}

/**
 * Plays a story that broke a promise again and again, with less and less in its plan, and tells what is left.
 *
 * @category Testing
 */
export async function explainSimulation(story: string | SimPlan): Promise<SimFailure> {
  const plan = await shrink(typeof story === 'string' ? planOf(story) : story)
  const trace: Array<string> = []
  const { violations } = await play(plan, (line) => {
    trace.push(line)
    if (trace.length > 2 * TRACE_LINES) {
      trace.splice(0, TRACE_LINES)
    }
  })
  return { plan, violations, deeds: plan.deeds.map(describeDeed), trace: trace.slice(-TRACE_LINES) }
}

/** Leaves out what is not needed: halves of the plan first, then ever smaller parts of it. */
async function shrink(plan: SimPlan): Promise<SimPlan> {
  let smallest = plan
  const broken = (await play(plan)).violations[0]?.invariant
  let tries = 0
  for (let size = Math.ceil(plan.deeds.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let start = 0; start < smallest.deeds.length && tries < SHRINK_TRIES;) {
      const without = smallest.deeds.filter((_, index) => index < start || index >= start + size)
      const candidate = { ...smallest, deeds: without }
      tries += 1
      if ((await play(candidate)).violations[0]?.invariant === broken) {
        smallest = candidate
      } else {
        start += size
      }
    }
  }
  return smallest
}
