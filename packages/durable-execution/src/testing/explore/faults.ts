/**
 * Wrong engines, each with one fault that real ones had or nearly had. The explorer must catch every
 * one; a fault it does not catch would be a hole in the invariants or in the small worlds.
 */

import { type Engine } from './engine.ts'
import { type Failure } from './explore.ts'
import { ATTEMPT_FAULTS } from './faults-of-attempts.ts'
import { DURABLE_FAULTS } from './faults-of-durable-code.ts'
import { TREE_FAULTS } from './faults-of-trees.ts'

export type PlantedFault = {
  name: string
  /** What the wrong engine does, in a sentence. */
  what: string
  /** The piece that is wrong. */
  breaks: Partial<Engine>
  /** The scenario in which it shows. */
  scenario: string
  /** The promises that may be the first to break. */
  caughtBy: ReadonlyArray<Failure['invariant']>
}

export const PLANTED_FAULTS: ReadonlyArray<PlantedFault> = [
  ...ATTEMPT_FAULTS,
  ...TREE_FAULTS,
  ...DURABLE_FAULTS,
]
