/**
 * A model checker: visits every world that a scenario can lead to, breadth first, with the engine's
 * own rules; checks each world and each step; and at the end whether from every world everything can
 * still come to its end.
 */

import { checkHistory, checkStep, checkWorld, type InvariantId } from '../../machine/invariants.ts'
import { CanonicalKeys } from './canonical-key.ts'
import { type Engine, SOUND_ENGINE } from './engine.ts'
import { type Kinds, recordKinds } from './kinds.ts'
import { cannotSettle } from './liveness.ts'
import { type Scenario } from './scenario.ts'
import { type Step, stepsFrom } from './steps.ts'
import { firstWorld, isSettled, NOW, type World } from './world.ts'

/** What is wrong, and the shortest way there. `L5`: from the last world the end cannot be reached. */
export type Failure = {
  invariant: InvariantId | 'L5' | 'assertion'
  executionId: string
  sentence: string
  trace: ReadonlyArray<string>
}

/** What an exploration saw. */
export type Exploration = {
  scenario: string
  worlds: number
  steps: number
  /** How often each (status, event, resulting status) was taken. */
  kinds: Kinds
  failure: Failure | null
}

/** Explores one scenario, to its end or to the first failure. */
export function explore(scenario: Scenario, engine: Partial<Engine> = {}): Exploration {
  const search = new Search(scenario, { ...SOUND_ENGINE, ...engine })
  const failure = search.run()
  return {
    scenario: scenario.name,
    worlds: search.worldsCount,
    steps: search.stepsCount,
    kinds: search.kinds,
    failure,
  }
}

/** The failure in lines that can be read. */
export function describeFailure(failure: Failure): string {
  const lines = failure.trace.map((line, index) => `  ${index + 1}. ${line}`)
  return [`${failure.invariant} at ${failure.executionId}: ${failure.sentence}`, ...lines].join('\n')
}

type Trouble = Omit<Failure, 'trace'>

class Search {
  readonly kinds: Kinds = new Map()
  worldsCount = 0
  stepsCount = 0
  readonly #scenario: Scenario
  readonly #toleratedFailures = (taskId: string): number =>
    this.#scenario.tasks[taskId]?.toleratedFailures ?? 0
  readonly #engine: Engine
  readonly #keys: CanonicalKeys
  readonly #numbers = new Map<string, number>()
  /** Worlds that are still to be left; a world is dropped once its steps were taken. */
  readonly #worlds: Array<World | undefined> = []
  /** For each world the one it was first reached from, and by which of its steps. */
  readonly #cameFrom: Array<number> = []
  readonly #cameBy: Array<number> = []
  readonly #settled: Array<number> = []
  /** Steps that nobody has to be unlucky for, as pairs of worlds. */
  readonly #from: Array<number> = []
  readonly #to: Array<number> = []

  constructor(scenario: Scenario, engine: Engine) {
    this.#scenario = scenario
    this.#engine = engine
    this.#keys = new CanonicalKeys(scenario)
  }

  run(): Failure | null {
    const first = firstWorld(this.#scenario)
    this.#add(first, this.#keys.keyOf(first), -1, -1)
    for (let at = 0; at < this.#worlds.length; at++) {
      const world = this.#worlds[at]
      this.#worlds[at] = undefined
      const failure = world === undefined ? null : this.#leave(world, at)
      if (failure !== null) {
        return failure
      }
    }
    const stuck = cannotSettle(this.worldsCount, this.#from, this.#to, this.#settled)
    if (stuck === undefined) {
      return null
    }
    const sentence = 'from here not everything can come to its end'
    return { invariant: 'L5', executionId: this.#scenario.rootTaskId, sentence, trace: this.#traceTo(stuck) }
  }

  #leave(world: World, at: number): Failure | null {
    let steps: Array<Step>
    try {
      steps = stepsFrom(world, this.#scenario, this.#engine)
    } catch (error) {
      const sentence = error instanceof Error ? error.message : String(error)
      const executionId = this.#scenario.rootTaskId
      return { invariant: 'assertion', executionId, sentence, trace: this.#traceTo(at) }
    }
    for (const [index, step] of steps.entries()) {
      this.stepsCount += 1
      recordKinds(this.kinds, world.rows, step.next.rows, step.accepted)
      const to = this.#numberOf(step, at, index)
      const trouble = this.#troubleOf(world, step, to)
      if (trouble !== undefined) {
        return { ...trouble, trace: [...this.#traceTo(at), step.describe()] }
      }
      if (!step.isMisfortune) {
        this.#from.push(at)
        this.#to.push(Math.abs(to))
      }
    }
    return null
  }

  #troubleOf(world: World, { next, accepted }: Step, to: number): Trouble | undefined {
    const { maxLosses, isKeepingFewFields } = this.#scenario
    const context = { now: NOW, events: accepted, history: world.history }
    const wrong = checkStep(world.rows, next.rows, context)
    if (wrong.length === 0 && to < 0) {
      // Only a world that was not seen before needs to be looked at.
      const counting = { maxLosses: isKeepingFewFields === true ? undefined : maxLosses }
      wrong.push(
        ...checkWorld(next.rows.values(), { toleratedFailures: this.#toleratedFailures, now: NOW }),
        ...checkHistory(next.rows, next.history, counting),
      )
    }
    return wrong[0]
  }

  /** The number of the world the step leads to; negative if it was not seen before. */
  #numberOf({ next }: Step, from: number, by: number): number {
    const key = this.#keys.keyOf(next)
    const known = this.#numbers.get(key)
    return known === undefined ? -this.#add(next, key, from, by) : known
  }

  #add(world: World, key: string, from: number, by: number): number {
    const number = this.#worlds.length
    this.#numbers.set(key, number)
    this.#worlds.push(world)
    this.#cameFrom.push(from)
    this.#cameBy.push(by)
    this.worldsCount += 1
    if (isSettled(world)) {
      this.#settled.push(number)
    }
    return number
  }

  /** The lines of the shortest way to the world: walked again, as no world keeps them. */
  #traceTo(number: number): Array<string> {
    const way: Array<number> = []
    for (let at = number; at > 0; at = this.#cameFrom[at] ?? 0) {
      way.push(this.#cameBy[at] ?? 0)
    }
    const lines: Array<string> = []
    let world = firstWorld(this.#scenario)
    for (const index of way.toReversed()) {
      const step = stepsFrom(world, this.#scenario, this.#engine)[index]
      if (step !== undefined) {
        lines.push(step.describe())
        world = step.next
      }
    }
    return lines
  }
}
