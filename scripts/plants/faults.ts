/** All faults that can be planted in the engine's sources. */

import { CARRYING_FAULTS } from './faults-of-carrying.ts'
import { CLAIM_FAULTS } from './faults-of-claims.ts'
import { CODE_FAULTS } from './faults-of-code.ts'
import { OUTCOME_FAULTS } from './faults-of-outcomes.ts'
import { TREE_FAULTS } from './faults-of-trees.ts'
import { type Plant } from './plant.ts'

export const PLANTS: ReadonlyArray<Plant> = [
  ...CLAIM_FAULTS,
  ...OUTCOME_FAULTS,
  ...TREE_FAULTS,
  ...CARRYING_FAULTS,
  ...CODE_FAULTS,
]

/** The fault of that name. */
export function plantNamed(name: string): Plant {
  const plant = PLANTS.find((each) => each.name === name)
  if (plant === undefined) {
    throw new Error(`There is no plant ${name}; --list-plants names them`)
  }
  return plant
}
