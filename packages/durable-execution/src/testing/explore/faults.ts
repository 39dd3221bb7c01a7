/**
 * Wrong engines, each with one fault that real ones had or nearly had. The explorer must catch every
 * one; a fault it does not catch would be a hole in the invariants or in the small worlds.
 */

import { type InvariantId } from '../../machine/invariants.ts'
import { type Engine } from './engine.ts'
import { ATTEMPT_FAULTS } from './faults-of-attempts.ts'
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
  caughtBy: ReadonlyArray<InvariantId | 'L5'>
}

export const PLANTED_FAULTS: ReadonlyArray<PlantedFault> = [...ATTEMPT_FAULTS, ...TREE_FAULTS]
